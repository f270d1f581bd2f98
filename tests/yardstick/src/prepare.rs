//! Reads a bundle for plain Cedar: parses the policies, builds the base of entities.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::entities_errors::EntitiesError;
use cedar_policy::{
    Authorizer, Effect, Entities, Entity, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet, Schema,
    SchemaFragment, SlotId, Template,
};
use cedargate::Bundle;
use serde_json::{Value, json};

use crate::attributes::Shape;
use crate::native::{Base, Types};
use crate::network::Network;

/// Why a bundle cannot be prepared for plain Cedar. One that the component has loaded can.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` cannot be read by plain Cedar: {cause}")]
pub struct PrepareError {
    file: String,
    cause: String,
}

impl PrepareError {
    fn new(file: &str, cause: impl std::fmt::Display) -> Self {
        Self { file: file.to_owned(), cause: cause.to_string() }
    }
}

const SCHEMA: &str = "schema.cedarschema";
const ENTITIES: &str = "entities.json";
const SETTINGS: &str = "bundle.toml";

/// Prepares a bundle.
///
/// Load it into the component first: Cedar's own parser ends the process where expressions are nested too deep, and
/// the component refuses those.
///
/// # Errors
///
/// [`PrepareError`] where a file cannot be read.
pub fn prepare(bundle: &Bundle) -> Result<Base, PrepareError> {
    let files: HashMap<&str, &str> = bundle.files().collect();
    let text = |name: &str| files.get(name).copied().unwrap_or_default();
    let cannot = |error: &dyn std::fmt::Display| PrepareError::new(SCHEMA, error);
    let (fragment, _) = SchemaFragment::from_cedarschema_str(text(SCHEMA)).map_err(|error| cannot(&error))?;
    let schema = Schema::from_schema_fragments([fragment.clone()]).map_err(|error| cannot(&error))?;
    let fragment = fragment.to_json_value().map_err(|error| cannot(&error))?;
    // The part of the schema that stands in no namespace.
    let declared = fragment.get("").cloned().unwrap_or_default();

    let types = Types::read().map_err(|error| cannot(&error))?;
    let policies = policies(bundle)?;
    let listed = if files.contains_key(ENTITIES) { text(ENTITIES) } else { "[]" };
    let cannot_entities = |error: &dyn std::fmt::Display| PrepareError::new(ENTITIES, error);
    let listed = with_model_parents(listed).map_err(|error| cannot_entities(&error))?;
    let entities = Entities::from_json_str(&listed, Some(&schema)).map_err(|error| cannot_entities(&error))?;
    let networks = networks(&types, &policies, &entities);
    let scopes = scopes(&types, &entities);
    let (entities, addresses) = base(&types, entities).map_err(|error| cannot_entities(&error))?;
    Ok(Base {
        authorizer: Authorizer::new(),
        permits: permits(&policies).map_err(|error| cannot(&error))?,
        actions: actions(&types, &schema),
        policies,
        entities,
        types,
        scopes,
        networks,
        addresses,
        teams_closed: teams_closed(text(SETTINGS)),
        principal_attributes: Shape::named(&declared, "PrincipalAttributes"),
        request_attributes: Shape::named(&declared, "RequestAttributes"),
    })
}

impl Base {
    /// How many policies there are: the static ones and the links of templates.
    #[must_use]
    pub fn policies(&self) -> usize {
        self.policies.num_of_policies()
    }

    /// How many of them forbid.
    #[must_use]
    pub fn forbids(&self) -> usize {
        self.policies().saturating_sub(self.permits.num_of_policies())
    }
}

impl Types {
    #[expect(clippy::result_large_err, reason = "the error is Cedar's own, and ends the preparation")]
    fn read() -> Result<Self, cedar_policy::ParseErrors> {
        let ty = EntityTypeName::from_str;
        Ok(Self {
            api_token: ty("ApiToken")?,
            gateway_runtime: ty("GatewayRuntime")?,
            provider_key: ty("ProviderKey")?,
            user: ty("User")?,
            other_principal: ty("OtherPrincipal")?,
            team: ty("Team")?,
            role: ty("Role")?,
            organization: ty("Organization")?,
            gateway: ty("Gateway")?,
            consumer_group: ty("ConsumerGroup")?,
            provider: ty("Provider")?,
            model_name: ty("ModelName")?,
            model_group: ty("ModelGroup")?,
            model: ty("Model")?,
            network: ty("Network")?,
            address: ty("Address")?,
            scope: ty("Scope")?,
            operation: ty("Operation")?,
            service: ty("Service")?,
        })
    }
}

/// Every policy under its `@id`, and every link of a template.
fn policies(bundle: &Bundle) -> Result<PolicySet, PrepareError> {
    let mut set = PolicySet::new();
    for (name, text) in bundle.files().filter(|(name, _)| name.ends_with(".cedar")) {
        let cannot = |error: &dyn std::fmt::Display| PrepareError::new(name, error);
        let file = PolicySet::from_str(text).map_err(|error| cannot(&error))?;
        let id = |annotated: Option<&str>| annotated.map(PolicyId::new).ok_or_else(|| cannot(&"a policy has no `@id`"));
        for policy in file.policies() {
            set.add(policy.new_id(id(policy.annotation("id"))?)).map_err(|error| cannot(&error))?;
        }
        for template in file.templates() {
            let template: Template = template.new_id(id(template.annotation("id"))?);
            set.add_template(template).map_err(|error| cannot(&error))?;
        }
    }
    for (name, text) in bundle.files().filter(|(name, _)| name.ends_with(".links.json")) {
        let cannot = |error: &dyn std::fmt::Display| PrepareError::new(name, error);
        let links: Vec<Value> = serde_json::from_str(text).map_err(|error| cannot(&error))?;
        for link in &links {
            let id = |field: &str| PolicyId::new(link.get(field).and_then(Value::as_str).unwrap_or_default());
            let mut slots = HashMap::new();
            for (name, slot) in [("?principal", SlotId::principal()), ("?resource", SlotId::resource())] {
                if let Some(value) = link.pointer("/args").and_then(|args| args.get(name)) {
                    slots.insert(slot, EntityUid::from_json(value.clone()).map_err(|error| cannot(&error))?);
                }
            }
            set.link(id("template_id"), id("link_id"), slots).map_err(|error| cannot(&error))?;
        }
    }
    Ok(set)
}

#[expect(clippy::result_large_err, reason = "the error is Cedar's own, and ends the preparation")]
fn permits(all: &PolicySet) -> Result<PolicySet, cedar_policy::PolicySetError> {
    let mut permits = all.clone();
    for policy in all.policies().filter(|policy| policy.effect() == Effect::Forbid) {
        let removed: Result<Policy, _> = if policy.is_static() {
            permits.remove_static(policy.id().clone())
        } else {
            permits.unlink(policy.id().clone())
        };
        removed?;
    }
    Ok(permits)
}

/// The actions that apply to something: groups apply to nothing.
fn actions(types: &Types, schema: &Schema) -> HashMap<String, (EntityUid, bool)> {
    let mut actions = HashMap::new();
    for action in schema.actions() {
        let resources: Vec<_> = schema.resources_for_action(action).into_iter().flatten().collect();
        if !resources.is_empty() && action.type_name().namespace().is_empty() {
            let takes_model = resources.contains(&&types.model);
            actions.insert(action.id().unescaped().to_owned(), (action.clone(), takes_model));
        }
    }
    actions
}

/// The networks that a policy, a link or the bundle names. Those of a principal come with its requests.
fn networks(types: &Types, policies: &PolicySet, entities: &Entities) -> Vec<(Network, EntityUid)> {
    let literals = policies.policies().flat_map(Policy::entity_literals);
    let linked = policies.policies().filter_map(Policy::template_links).flat_map(HashMap::into_values);
    let listed = entities.iter().map(Entity::uid);
    let named: HashSet<EntityUid> =
        literals.chain(linked).chain(listed).filter(|uid| *uid.type_name() == types.network).collect();
    named.into_iter().filter_map(|uid| Some((Network::read(uid.id().unescaped())?, uid))).collect()
}

/// For each scope that contains others, those.
fn scopes(types: &Types, entities: &Entities) -> HashMap<String, Vec<EntityUid>> {
    let mut scopes: HashMap<String, Vec<EntityUid>> = HashMap::new();
    for narrow in entities.iter().map(Entity::uid).filter(|uid| *uid.type_name() == types.scope) {
        for wide in entities.ancestors(&narrow).into_iter().flatten().filter(|uid| *uid.type_name() == types.scope) {
            scopes.entry(wide.id().unescaped().to_owned()).or_default().push(narrow.clone());
        }
    }
    scopes
}

/// The base without addresses, which get further parents with each request; and those addresses.
#[expect(clippy::result_large_err, reason = "the error is Cedar's own, and ends the preparation")]
fn base(types: &Types, entities: Entities) -> Result<(Entities, HashMap<EntityUid, Entity>), EntitiesError> {
    let addresses: HashMap<EntityUid, Entity> = entities
        .iter()
        .filter(|entity| *entity.uid().type_name() == types.address)
        .map(|entity| (entity.uid(), entity.clone()))
        .collect();
    Ok((entities.remove_entities(addresses.keys().cloned())?, addresses))
}

/// The text of the static entities, with every model in its provider and under its name.
fn with_model_parents(text: &str) -> Result<String, serde_json::Error> {
    let mut listed: Vec<Value> = serde_json::from_str(text)?;
    for entity in &mut listed {
        let uid = entity.get("uid").map(|uid| uid.get("__entity").unwrap_or(uid)).cloned().unwrap_or_default();
        let id = uid.get("id").and_then(Value::as_str).unwrap_or_default();
        if uid.get("type").and_then(Value::as_str) == Some("Model")
            && let Some((provider, name)) = id.split_once('/')
            && let Some(parents) = entity.get_mut("parents").and_then(Value::as_array_mut)
        {
            parents.push(json!({"type": "ModelName", "id": name}));
            parents.extend((!provider.is_empty()).then(|| json!({"type": "Provider", "id": provider})));
        }
    }
    serde_json::to_string(&listed)
}

/// Whether `bundle.toml` says `teams = "closed"` before its first section.
fn teams_closed(settings: &str) -> bool {
    let own = settings.lines().map(str::trim).take_while(|line| !line.starts_with('['));
    own.filter_map(|line| line.split_once('=')).any(|(name, value)| {
        name.trim() == "teams"
            && value.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']) == "closed"
    })
}
