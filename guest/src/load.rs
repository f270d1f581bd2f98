//! From the text of a bundle to a set, or to everything that is wrong with it.
//!
//! The order is: sizes, schema, policies through the depth gate, annotations, links, static entities, strict
//! validation, and last whether the schema admits the facts that the plug-in makes. Every stage that can run
//! does, so that an author sees all findings at once.

pub(crate) mod annotation;
mod entities;
pub(crate) mod hierarchy;
pub(crate) mod image;
pub(crate) mod lexer;
mod policies;
pub(crate) mod policy_depth;
pub(crate) mod schema_depth;
mod validation;

use crate::cedar::full::Full;
use crate::cedar::policies::{Policies, Policy};
use crate::cedar::schema::{self, Schema};
use crate::cedar::schema_check;
use crate::cedar::statics::Statics;
use crate::contract::bundle::{Bundle, BundleKind, MAX_CACHE_MS_MAX, Teams};
use crate::contract::diagnostic::{Code, Diagnostics, Report, Source};
use crate::contract::limits::DEPTH_MAX;
use crate::contract::reads::Fields;
use crate::contract::strict;
use crate::decide::policy_set::{Entry, Parts, PolicySet, UNKNOWN_ACTION};
use crate::load::annotation::Annotations;
use crate::load::policy_depth::Balanced;
use crate::program::rules::Rules;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Why a bundle was not loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The text is not a bundle.
    #[error("{0}")]
    Malformed(String),
    /// The bundle holds errors.
    #[error("the bundle is refused: {} findings", .0.count)]
    Refused(Report),
}

/// How much of a bundle has to be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Everything: the bundle comes from outside.
    Check,
    /// Nothing twice: the bundle was checked by an instance of this component and balanced there.
    Checked,
}

/// Loads a bundle from its text.
///
/// # Errors
/// [`LoadError`].
pub fn load(text: &str) -> Result<PolicySet, LoadError> {
    let bundle: Bundle = strict::object_from_str(text).map_err(LoadError::Malformed)?;
    if bundle.v != 1 {
        return Err(LoadError::Malformed("the text's `v` is not 1: this component reads version 1".into()));
    }
    let digest = bundle.digest();
    build(bundle, digest, Trust::Check)
}

/// Builds the set of a bundle.
///
/// # Errors
/// [`LoadError::Refused`].
pub fn build(bundle: Bundle, digest: String, trust: Trust) -> Result<PolicySet, LoadError> {
    let mut loader = Loader {
        bundle,
        trust,
        found: Diagnostics::default(),
        files: BTreeMap::new(),
        drafts: BTreeMap::new(),
        policies: Policies::default(),
        position: 0,
    };
    if !loader.sizes() {
        return Err(LoadError::Refused(loader.found.into_report()));
    }
    let schema = loader.schema();
    loader.policies();
    loader.links();
    let networks = loader.policy_networks();
    let statics = loader.statics(schema.as_ref(), networks);
    if let Some(schema) = &schema {
        loader.validate(schema);
    }
    if loader.found.has_errors() {
        return Err(LoadError::Refused(loader.found.into_report()));
    }
    loader.finish(schema, statics, digest)
}

/// A policy on its way into the table.
struct Draft {
    policy: Policy,
    forbids: bool,
    annotations: Annotations,
    file: String,
    line: usize,
}

struct Loader {
    bundle: Bundle,
    trust: Trust,
    found: Diagnostics,
    /// The texts as handed over and as balanced, by file.
    files: BTreeMap<String, (String, Balanced)>,
    /// Static policies and links by their ids.
    drafts: BTreeMap<String, Draft>,
    policies: Policies,
    /// Policies and templates read so far.
    position: usize,
}

const FILE_BUNDLE: &str = "bundle.toml";

const FILE_SCHEMA: &str = "schema.cedarschema";

impl Loader {
    fn general(&self) -> bool {
        self.bundle.kind == BundleKind::General
    }

    fn whole(&mut self, file: &str, code: Code, message: impl Into<String>, help: &str) {
        self.found.push(Source { file, text: "" }.whole(code, message).help(help));
    }

    /// What must hold before anything is parsed.
    fn sizes(&mut self) -> bool {
        let (bytes, limits) = (self.bundle.bytes(), self.bundle.limits.clone());
        if self.trust == Trust::Check && bytes > limits.bundle_bytes {
            self.whole(
                FILE_BUNDLE,
                Code::Limit,
                format!("the bundle is {bytes} bytes long, the limit is {}", limits.bundle_bytes),
                "split the bundle, or raise `bundle_bytes`",
            );
        }
        if limits.depth > DEPTH_MAX {
            self.whole(
                FILE_BUNDLE,
                Code::Limit,
                format!("the limit `depth` is {}, at most {DEPTH_MAX} is safe", limits.depth),
                "lower `depth`",
            );
        }
        if !(0..=MAX_CACHE_MS_MAX).contains(&self.bundle.settings.max_cache_ms) {
            self.whole(
                FILE_BUNDLE,
                Code::Limit,
                format!("`max_cache_ms` is not between 0 and {MAX_CACHE_MS_MAX}"),
                "a remembered decision cannot see a revocation: keep it short",
            );
        }
        if self.bundle.policies.is_empty() && !self.general() {
            self.whole(
                FILE_BUNDLE,
                Code::Parse,
                "the bundle has no policy",
                "add a `.cedar` file; a set without a policy would deny everything",
            );
        }
        let mut names = BTreeSet::new();
        let twice: Vec<String> =
            self.bundle.policies.iter().filter(|f| !names.insert(&f.name)).map(|f| f.name.clone()).collect();
        for name in twice {
            self.whole(&name, Code::Parse, "two files have this name", "rename one of them");
        }
        !self.found.has_errors()
    }

    fn schema(&mut self) -> Option<Schema> {
        let Some(file) = self.bundle.schema.clone() else {
            if !self.general() {
                self.whole(
                    FILE_SCHEMA,
                    Code::Schema,
                    "the bundle has no schema",
                    "copy the schema of the default policies and extend it",
                );
            }
            return None;
        };
        let source = Source { file: &file.name, text: &file.text };
        if let Err((offset, why)) = schema_depth::check(&file.text, self.bundle.limits.depth) {
            let finding = source.at(offset, 1, Code::Limit, why.to_string());
            self.found.push(finding.help("declare an entity type in place of the inner record"));
            return None;
        }
        match schema::parse(&file.text) {
            Ok((schema, warnings)) => {
                for warning in warnings {
                    self.found.push(source.cedar(&warning, Code::Schema, |at| at).warning());
                }
                Some(schema)
            }
            Err(error) => {
                let mut any = false;
                for related in miette::Diagnostic::related(&*error).into_iter().flatten() {
                    self.found.push(source.cedar(related, Code::Schema, |at| at));
                    any = true;
                }
                if !any || miette::Diagnostic::labels(&*error).is_some() {
                    self.found.push(source.cedar(&*error, Code::Schema, |at| at));
                }
                None
            }
        }
    }

    fn finish(mut self, schema: Option<Schema>, statics: Statics, digest: String) -> Result<PolicySet, LoadError> {
        let (mut table, mut policies) = (Vec::new(), Vec::new());
        for (id, Draft { policy, annotations, file, line, forbids }) in std::mem::take(&mut self.drafts) {
            table.push(Entry { id, denial: annotations.denial, forbids, file, line });
            policies.push(policy);
        }
        let full = Full { schema, statics, cedar: std::mem::take(&mut self.policies).into_cedar(), policies };
        let profile = !self.general() && self.trust == Trust::Check;
        let mut rules = None;
        if profile {
            rules = crate::cedar::compile::compile(&full, &table, self.bundle.settings.teams == Teams::Closed);
            self.check_facts(full.schema.as_ref(), rules.as_ref().map(|(rules, _)| rules));
        }
        if self.found.has_errors() {
            return Err(LoadError::Refused(self.found.into_report()));
        }
        let (rules, compiled) = rules.map_or((None, false), |(rules, compiled)| (Some(rules), compiled));
        let Bundle { kind, settings, sees_changes, limits, .. } = self.bundle.clone();
        let parts = Parts {
            kind,
            settings,
            sees_changes,
            limits,
            source: text(&self.bundle)?,
            digest,
            table,
            warnings: text(&self.found.into_report())?,
            rules,
            compiled,
        };
        Ok(PolicySet::new(parts, Some(full)))
    }

    /// Whether the schema admits the facts that the plug-in makes.
    fn check_facts(&mut self, schema: Option<&Schema>, rules: Option<&Rules>) {
        let (Some(schema), Some(rules)) = (schema, rules) else {
            self.whole(FILE_SCHEMA, Code::Facts, "its entities cannot be used", "remove values of unknown extensions");
            return;
        };
        if rules.action(UNKNOWN_ACTION).is_none() {
            let message = format!("the action \"{UNKNOWN_ACTION}\" is not declared");
            let help = "declare it as the default schema does: it stands for every unknown action";
            self.whole(FILE_SCHEMA, Code::Facts, message, help);
        }
        self.check_tokens(rules);
        let help = "start from the default schema and extend only what it marks as yours";
        for message in schema_check::check(schema, rules) {
            self.whole(FILE_SCHEMA, Code::Facts, message, help);
        }
    }
}

impl Loader {
    /// Whether actions about tokens can be decided at all, and whether their policies look at the token.
    fn check_tokens(&mut self, rules: &Rules) {
        let (mut blind, mut careless) = (Vec::new(), Vec::new());
        for (id, action) in rules.action_ids().filter_map(|id| Some((id, rules.action(id)?))) {
            if action.facts.about_tokens && action.facts.current.is_none() {
                blind.push(format!("`{id}`"));
            } else if TOKEN_ACTIONS_THAT_EXIST.contains(&id) && action.fields.and(Fields::current()).is_empty() {
                careless.push(format!("`{id}`"));
            }
        }
        if !blind.is_empty() {
            let message = format!("{} have no decision: the schema has no place for the token as it is", list(&blind));
            self.warn(FILE_SCHEMA, message, HELP_BLIND);
        }
        if !careless.is_empty() {
            let message = format!("no policy for {} reads `context.current`, the token as it is", list(&careless));
            self.warn(FILE_SCHEMA, message, "take over `minting.cedar` of the default policies");
        }
    }

    fn warn(&mut self, file: &str, message: String, help: &str) {
        let finding = Source { file, text: "" }.whole(Code::Facts, message);
        self.found.push(finding.help(help).warning());
    }
}

/// The actions that are about a token that exists.
const TOKEN_ACTIONS_THAT_EXIST: [&str; 6] =
    ["tokens.edit", "tokens.export", "tokens.inspect", "tokens.list", "tokens.revoke", "tokens.rotate"];

const HELP_BLIND: &str = "add `current?: Target` to the context of these actions, `attributes?: PrincipalAttributes`, \
    `models_outside: Set<String>`, `providers_outside: Set<String>`, `networks_outside: Set<String>` and \
    `budgets_outside: Set<String>` to `Target`, and take over `minting.cedar` of the default policies: without them \
    whoever may act on one token could act on any";

fn list(names: &[String]) -> String {
    names.join(", ")
}

fn text<T: serde::Serialize>(value: &T) -> Result<String, LoadError> {
    serde_json::to_string(value).map_err(|error| LoadError::Malformed(error.to_string()))
}
