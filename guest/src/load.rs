//! From the text of a bundle to a set, or to everything that is wrong with it.
//!
//! The order is: sizes, schema, policies through the depth gate, annotations, links, static entities, strict
//! validation, and last whether the schema admits the facts that the plug-in makes. Every stage that can run
//! does, so that an author sees all findings at once.

mod compile;
mod policies;

use crate::annotation::Annotations;
use crate::bundle::{Bundle, BundleKind, MAX_CACHE_MS_MAX, Teams};
use crate::diagnostic::{Code, Diagnostics, Report, Source};
use crate::facts::model_parents;
use crate::gate::Gated;
use crate::hierarchy::{HIERARCHY_DEPTH_MAX, Parents};
use crate::kind::Kind;
use crate::limits::DEPTH_MAX;
use crate::network::Network;
use crate::probe;
use crate::reads::Fields;
use crate::rules::Rules;
use crate::schema_gate;
use crate::set::{Entry, Full, Parts, PolicySet, UNKNOWN_ACTION};
use crate::statics::Statics;
use crate::strict;
use cedar_policy_core::ast::{Effect, Entity, EntityUID, ExprKind, Literal, Policy, PolicyID, PolicySet as CedarSet};
use cedar_policy_core::entities::{Entities, EntityJsonParser, TCComputation};
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::{CoreSchema, ValidationError, ValidationMode, Validator, ValidatorSchema};
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
        cedar: CedarSet::new(),
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
    annotations: Annotations,
    file: String,
    line: usize,
}

struct Loader {
    bundle: Bundle,
    trust: Trust,
    found: Diagnostics,
    /// The texts as handed over and as balanced, by file.
    files: BTreeMap<String, (String, Gated)>,
    /// Static policies and links by their ids.
    drafts: BTreeMap<String, Draft>,
    cedar: CedarSet,
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

    fn schema(&mut self) -> Option<ValidatorSchema> {
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
        if let Err((offset, why)) = schema_gate::gate(&file.text, self.bundle.limits.depth) {
            let finding = source.at(offset, 1, Code::Limit, why.to_string());
            self.found.push(finding.help("declare an entity type in place of the inner record"));
            return None;
        }
        match ValidatorSchema::from_cedarschema_str(&file.text, Extensions::all_available()) {
            Ok((schema, warnings)) => {
                for warning in warnings {
                    self.found.push(source.cedar(&warning, Code::Schema, |at| at).warning());
                }
                Some(schema)
            }
            Err(error) => {
                let mut any = false;
                for related in miette::Diagnostic::related(&error).into_iter().flatten() {
                    self.found.push(source.cedar(related, Code::Schema, |at| at));
                    any = true;
                }
                if !any || miette::Diagnostic::labels(&error).is_some() {
                    self.found.push(source.cedar(&error, Code::Schema, |at| at));
                }
                None
            }
        }
    }

    /// The networks that policies name. A network's id must be canonical, or no address would lie in it.
    fn policy_networks(&mut self) -> BTreeSet<Network> {
        let mut networks = BTreeSet::new();
        if self.general() {
            return networks;
        }
        let mut wrong = Vec::new();
        let ty = Kind::Network.entity_type();
        for (id, draft) in &self.drafts {
            let condition = draft.policy.condition();
            let literals = condition.subexpressions().filter_map(|part| match part.expr_kind() {
                ExprKind::Lit(Literal::EntityUID(uid)) => {
                    let span = part.source_loc().or(uid.loc()).map(|loc| (loc.start(), loc.end()));
                    Some((uid.as_ref().clone(), span))
                }
                _ => None,
            });
            let linked = draft.policy.env().values().map(|uid| (uid.clone(), None));
            for (uid, span) in literals.chain(linked).filter(|(uid, _)| uid.entity_type() == ty) {
                match canonical(&uid) {
                    Ok(network) => {
                        networks.insert(network);
                    }
                    Err(help) => wrong.push((id.clone(), draft.file.clone(), span, uid, help)),
                }
            }
        }
        for (id, file, span, uid, help) in wrong {
            let message = format!("{uid} holds no address");
            let mut finding = match (self.files.get(&file), span) {
                (Some((text, gated)), Some((from, to))) => {
                    let (from, to) = (gated.original(from), gated.original(to));
                    Source { file: &file, text }.at(from, to.saturating_sub(from), Code::Validation, message)
                }
                _ => Source { file: &file, text: "" }.whole(Code::Validation, message),
            };
            finding.policy = Some(id);
            self.found.push(finding.help(help));
        }
        networks
    }

    fn statics(&mut self, schema: Option<&ValidatorSchema>, mut networks: BTreeSet<Network>) -> Statics {
        let file = self.bundle.entities.clone();
        let name = file.as_ref().map_or("entities.json", |f| f.name.as_str()).to_owned();
        let text = file.as_ref().map_or("[]", |f| f.text.as_str());
        if let Some(deep) = Parents::of_entities(text).too_deep() {
            let deep = deep.replace('\0', " ");
            let message = format!("{deep} has a chain of more than {HIERARCHY_DEPTH_MAX} parents above it");
            self.whole(&name, Code::Limit, message, "make the hierarchy flatter: an entity may have several parents");
            return Statics::default();
        }
        let parsed = match schema {
            Some(schema) => {
                let schema = CoreSchema::new(schema);
                EntityJsonParser::new(Some(&schema), Extensions::all_available(), TCComputation::ComputeNow)
                    .from_json_str(text)
            }
            None => EntityJsonParser::<cedar_policy_core::entities::NoEntitiesSchema>::new(
                None,
                Extensions::all_available(),
                TCComputation::ComputeNow,
            )
            .from_json_str(text),
        };
        let mut entities = match parsed {
            Ok(entities) => entities,
            Err(error) => {
                let source = Source { file: &name, text };
                let told = source.cedar(&error, Code::Entities, |at| at);
                let mut finding = source.json(Code::Entities, &told.message);
                finding.help = told.help;
                self.found.push(finding);
                return Statics::default();
            }
        };
        if !self.general() {
            self.check_statics(&name, &entities, &mut networks);
            entities = with_model_parents(entities);
        }
        Statics::new(entities, networks)
    }

    fn check_statics(&mut self, name: &str, entities: &Entities, networks: &mut BTreeSet<Network>) {
        let declared = self.bundle.entities.as_ref().map(|file| file.text.clone()).unwrap_or_default();
        let listed: Vec<serde_json::Value> = serde_json::from_str(&declared).unwrap_or_default();
        for entity in entities.iter() {
            let ty = entity.uid().entity_type();
            if Kind::PRINCIPALS.iter().any(|kind| kind.entity_type() == ty) {
                self.whole(
                    name,
                    Code::Entities,
                    format!("{} is a principal", entity.uid()),
                    "principals come from tokens: remove it",
                );
            }
            if ty == Kind::Network.entity_type() {
                match canonical(entity.uid()) {
                    Ok(network) => {
                        networks.insert(network);
                    }
                    Err(help) => self.whole(name, Code::Entities, format!("{} holds no address", entity.uid()), &help),
                }
            }
        }
        let is_action = |value: &serde_json::Value| {
            value
                .pointer("/uid/type")
                .and_then(|ty| ty.as_str())
                .is_some_and(|ty| ty == "Action" || ty.ends_with("::Action"))
        };
        if listed.iter().any(is_action) {
            self.whole(
                name,
                Code::Entities,
                "an action is among the static entities",
                "actions are declared by the schema: remove it",
            );
        }
    }

    fn validate(&mut self, schema: &ValidatorSchema) {
        if !self.general() {
            for ty in schema.entity_types() {
                let principal = Kind::PRINCIPALS.iter().any(|kind| kind.entity_type() == ty.name());
                for (attribute, declared) in ty.attributes().iter() {
                    if declared.is_required() && !principal {
                        self.whole(
                            FILE_SCHEMA,
                            Code::Facts,
                            format!("the attribute `{attribute}` of {} is required", ty.name()),
                            "make it optional: what the bundle does not declare is there without attributes",
                        );
                    }
                }
            }
        }
        if self.trust == Trust::Checked {
            return;
        }
        let result = Validator::new(schema.clone()).validate(&self.cedar, ValidationMode::Strict);
        for error in result.validation_errors() {
            let text = error.to_string();
            // The only errors whose texts do not name their policies.
            let id = match error {
                ValidationError::IncompatibleTypes(error) => error.policy_id.to_string(),
                ValidationError::InternalInvariantViolation(error) => error.policy_id.to_string(),
                _ => named_policy(&text),
            };
            self.validation(error, id, &text, false);
        }
        for warning in result.validation_warnings() {
            let text = warning.to_string();
            self.validation(warning, named_policy(&text), &text, true);
        }
    }

    fn validation(&mut self, finding: &dyn miette::Diagnostic, id: String, text: &str, warning: bool) {
        let file = match self.drafts.get(&id) {
            Some(draft) => draft.file.clone(),
            None => self.file_of_template(&id).unwrap_or_else(|| FILE_BUNDLE.to_owned()),
        };
        let mut diagnostic = match self.files.get(&file) {
            Some((original, gated)) => {
                Source { file: &file, text: original }.cedar(finding, Code::Validation, |at| gated.original(at))
            }
            None => Source { file: &file, text: "" }.whole(Code::Validation, text),
        };
        // A finding about an attribute comes once for each type of principals; one is enough.
        for kind in Kind::PRINCIPALS {
            diagnostic.message = diagnostic.message.replace(&format!(" on entity type `{}`", kind.name()), "");
        }
        let told = format!("for policy `{id}`, ");
        diagnostic.message = diagnostic.message.strip_prefix(&told).unwrap_or(&diagnostic.message).to_owned();
        diagnostic.policy = Some(id);
        self.found.push(if warning { diagnostic.warning() } else { diagnostic });
    }

    fn file_of_template(&self, id: &str) -> Option<String> {
        let template = self.cedar.get_template(&PolicyID::from_string(id))?;
        let text = &template.loc()?.src;
        self.files.iter().find(|(_, (_, gated))| gated.text.as_str() == text.as_ref()).map(|(name, _)| name.clone())
    }

    fn finish(
        mut self,
        schema: Option<ValidatorSchema>,
        statics: Statics,
        digest: String,
    ) -> Result<PolicySet, LoadError> {
        let (mut table, mut policies) = (Vec::new(), Vec::new());
        for (id, Draft { policy, annotations, file, line }) in std::mem::take(&mut self.drafts) {
            let forbids = policy.effect() == Effect::Forbid;
            table.push(Entry { id, denial: annotations.denial, forbids, file, line });
            policies.push(policy);
        }
        let full = Full { schema, statics, cedar: std::mem::take(&mut self.cedar), policies };
        let profile = !self.general() && self.trust == Trust::Check;
        let mut rules = None;
        if profile {
            rules = compile::compile(&full, &table, self.bundle.settings.teams == Teams::Closed);
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
    fn check_facts(&mut self, schema: Option<&ValidatorSchema>, rules: Option<&Rules>) {
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
        for message in probe::probe(schema, rules) {
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

/// The policy that a validator's text names first.
fn named_policy(text: &str) -> String {
    text.split('`').nth(1).unwrap_or_default().to_owned()
}

/// A network entity must have the id that addresses are put under.
fn canonical(uid: &EntityUID) -> Result<Network, String> {
    let id: &str = uid.eid().as_ref();
    match Network::read(id) {
        Ok(network) if network.to_string() == id => Ok(network),
        Ok(network) => Err(format!("write it as `{network}`")),
        Err(error) => Err(format!("`{id}` {error}")),
    }
}

/// Puts every model that the bundle declares into its provider and under its name.
fn with_model_parents(entities: Entities) -> Entities {
    let plain = Statics::new(entities.clone(), BTreeSet::new());
    let mut out: BTreeMap<EntityUID, Entity> = entities.iter().map(|e| (e.uid().clone(), e.clone())).collect();
    for entity in entities.iter() {
        let parents = model_parents(entity.uid());
        if !parents.is_empty() {
            out.insert(entity.uid().clone(), plain.with_parents(entity.uid().clone(), parents).as_ref().clone());
        }
    }
    Entities::from_entities(
        out.into_values(),
        None::<&cedar_policy_core::entities::NoEntitiesSchema>,
        TCComputation::AssumeAlreadyComputed,
        Extensions::all_available(),
    )
    .unwrap_or(entities)
}
