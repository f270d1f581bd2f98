//! What the policies think of a token before it is stored, and what it may do.

use std::env;
use std::sync::Arc;

use anyhow::Context;
use cedargate::model::{Profile, Timestamp};
use cedargate::{Bundle, Pdp};
use cedargate_gateway::config::Config;
use cedargate_tokens::{Catalogue, Period, Rules, Token};

use super::abilities::{self, Ability};
use crate::policies::{PoliciesArg, build};
use crate::stderr;
use crate::store::StoreArg;

/// The environment's name for the longest life that tokens may be given here.
const EXPIRY_MAX: &str = "CEDARGATE_EXPIRY_MAX";

/// The policies, asked about tokens.
pub(crate) struct Judge {
    pdp: Pdp,
    bundle: Bundle,
    expiry_max: Option<Period>,
    catalogue: Option<Arc<Catalogue>>,
}

impl Judge {
    /// The policies that are named, else those of the gateway's configuration, else those that are built in.
    pub(crate) fn load(policies: &PoliciesArg, store: &StoreArg) -> anyhow::Result<Self> {
        let config = store.config()?;
        let expiry_max = expiry_max(config.as_ref())?;
        let policies = policies.or(config.as_ref().and_then(|config| config.policies.clone()));
        let bundle = policies.bundle()?;
        let pdp = build(bundle.clone(), 1).map_err(|error| policies.not_built(error))?;
        let catalogue = config.map(|config| Arc::new(config.catalogue(abilities::groups(&bundle))));
        Ok(Self { pdp, bundle, expiry_max, catalogue })
    }

    /// What tokens must be like.
    pub(crate) fn rules(&self) -> Rules {
        let pdp = self.pdp.clone();
        let check = move |profile: &Profile| pdp.principal(profile).map(drop).map_err(|error| error.to_string());
        Rules { expiry_max: self.expiry_max, catalogue: self.catalogue.clone(), profile_check: Some(Arc::new(check)) }
    }

    pub(crate) fn abilities(&self, profile: &Profile, at: Timestamp) -> anyhow::Result<Vec<Ability>> {
        abilities::ask(&self.pdp, &self.bundle, profile, at)
    }

    /// Tells a person what a token may and may not do.
    pub(crate) fn tell(&self, token: &Token, at: Timestamp) -> anyhow::Result<()> {
        let Some(secret) = token.current_secret() else { return Ok(()) };
        let profile = token.profile(secret);
        // What it may do once it is valid, where that is not yet.
        let at = profile.not_before.map_or(at, |not_before| at.max(not_before));
        for line in abilities::words(&profile, &self.abilities(&profile, at)?) {
            stderr::say(format_args!("{line}"));
        }
        let bindings = &token.grant.bindings;
        if self.catalogue.is_none() && (bindings.models.is_some() || bindings.providers.is_some()) {
            stderr::say(format_args!(
                "note: whether these models and providers exist is only looked at with the gateway's `--config`"
            ));
        }
        if token.grant.purpose == "general" && bindings.is_empty() && token.allowances.is_empty() {
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
