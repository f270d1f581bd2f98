//! What the policies think of a token before it is stored, and what it may do.

use std::env;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use cedargate::model::{Profile, Timestamp};
use cedargate::{Bundle, Pdp};
use cedargate_gateway::config::Config;
use cedargate_gateway::policies as of_gateway;
use cedargate_tokens::{Catalogue, Period, Rules, Token};
use clap::Args;

use super::abilities::{self, Ability};
use super::models::{EVERYTHING, Known};
use super::output::OutputArg;
use crate::policies::{PoliciesArg, build};
use crate::stderr;
use crate::store::StoreArg;

/// The environment's name for the longest life that tokens may be given here.
const EXPIRY_MAX: &str = "CEDARGATE_EXPIRY_MAX";

/// The options of a command that asks the policies about a token.
#[derive(Args, Debug)]
pub(crate) struct JudgeArgs {
    #[command(flatten)]
    policies: PoliciesArg,
    #[command(flatten)]
    pub(crate) store: StoreArg,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

impl JudgeArgs {
    /// The policies that are named, else those of the gateway's configuration, else those that are built in. With a
    /// configuration, its teams and groups of models are among their facts, as at the gateway.
    pub(crate) fn judge(&self) -> anyhow::Result<Judge> {
        let mut config = self.store.config()?;
        let expiry_max = expiry_max(config.as_ref())?;
        let policies = self.policies.or(config.as_ref().and_then(|config| config.policies.clone()));
        let bundle = match &mut config {
            Some(config) => {
                config.policies = policies.folder().map(Path::to_owned);
                // Only what serves others has to know that a folder is whole.
                config.unlocked = true;
                of_gateway::bundle(config)?
            }
            None => policies.bundle()?,
        };
        let pdp = build(bundle.clone(), 1).map_err(|error| policies.not_built(error))?;
        let catalogue = config.as_ref().map(|config| Arc::new(of_gateway::catalogue(config, &bundle)));
        Ok(Judge { pdp, bundle, expiry_max, config, catalogue })
    }
}

/// The policies, asked about tokens.
pub(crate) struct Judge {
    pdp: Pdp,
    bundle: Bundle,
    expiry_max: Option<Period>,
    config: Option<Config>,
    catalogue: Option<Arc<Catalogue>>,
}

impl Judge {
    /// What tokens must be like.
    pub(crate) fn rules(&self) -> Rules {
        let pdp = self.pdp.clone();
        let check = move |profile: &Profile| pdp.principal(profile).map(drop).map_err(|error| error.to_string());
        Rules { expiry_max: self.expiry_max, catalogue: self.catalogue.clone(), profile_check: Some(Arc::new(check)) }
    }

    pub(crate) fn abilities(&self, token: &Token, profile: &Profile, at: Timestamp) -> anyhow::Result<Vec<Ability>> {
        let known = Known { bundle: &self.bundle, config: self.config.as_ref() };
        abilities::ask(&self.pdp, &known, token, profile, at)
    }

    /// Tells a person what a token may and may not do.
    pub(crate) fn tell(&self, token: &Token, at: Timestamp) -> anyhow::Result<()> {
        let Some(secret) = token.current_secret() else { return Ok(()) };
        let profile = token.profile(secret);
        // What it may do once it is valid, where that is not yet.
        let at = profile.not_before.map_or(at, |not_before| at.max(not_before));
        let abilities = self.abilities(token, &profile, at)?;
        for line in abilities::words(&profile, &abilities) {
            stderr::say(format_args!("{line}"));
        }
        let bindings = &token.grant.bindings;
        if !abilities.iter().any(|ability| ability.decision.is_allow()) {
            let cure = match (profile.purpose.as_str(), &bindings.scopes) {
                ("integration", None) => "an integration may do what its `--scopes` name, for example `events.read`",
                (_, Some(_)) => "see that its `--scopes` are those of its purpose",
                (_, None) => "`kt tokens inspect --can` shows why",
            };
            stderr::say(format_args!("note: this token may do nothing: {cure}"));
        }
        if self.catalogue.is_none() && (bindings.models.is_some() || bindings.providers.is_some()) {
            stderr::say(format_args!(
                "note: whether these models and providers exist is only looked at with the gateway's `--config`"
            ));
        }
        // A team may restrict it where its own bindings do not.
        let has_everything =
            |ability: &Ability| ability.decision.is_allow() && ability.model.as_deref() == Some(EVERYTHING);
        if bindings.is_empty() && token.allowances.is_empty() && abilities.iter().any(has_everything) {
            let ever = if token.grant.expires_at.is_none() { ", for ever" } else { "" };
            stderr::say(format_args!(
                "note: this token is not restricted: every model of every provider, from everywhere, without a budget{ever}; \
                 narrow it with `kt tokens edit`"
            ));
        }
        Ok(())
    }
}

/// The longest life of a token, where the environment or the configuration sets one: the shorter of both.
fn expiry_max(config: Option<&Config>) -> anyhow::Result<Option<Period>> {
    let configured = config.and_then(|config| config.token_life_max);
    let named = match env::var(EXPIRY_MAX) {
        Ok(text) if !text.is_empty() => Some(text.parse().with_context(|| format!("`${EXPIRY_MAX}` is wrong"))?),
        _ => None,
    };
    Ok([configured, named].into_iter().flatten().min())
}
