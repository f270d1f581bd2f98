//! Plain Cedar, used well: what a host would write that links `cedar-policy` itself.
//!
//! [`decide`] is what is measured. The policies are parsed and the base of entities is built before
//! ([`prepare`](crate::prepare)); a decision adds the entities that its record mentions, makes the context, and asks
//! the authorizer. No JSON, no schema, no parsing of policies.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request as Question,
    Response, RestrictedExpression,
};
use cedargate::model::{Attributes, Bindings, Counter, Profile, Request, Target, Timestamp};

use crate::attributes::Shape;
use crate::beyond::beyond;
use crate::network::{self, Network};

/// What is prepared once for a policy set.
#[derive(Debug)]
pub struct Base {
    pub(crate) authorizer: Authorizer,
    pub(crate) policies: PolicySet,
    /// The permits alone: see [`verdict`](crate::verdict).
    pub(crate) permits: PolicySet,
    /// The actions of the schema and the entities of the bundle.
    pub(crate) entities: Entities,
    pub(crate) types: Types,
    /// The actions that a request may ask for, and whether they take a model.
    pub(crate) actions: HashMap<String, (EntityUid, bool)>,
    /// For each scope of the bundle, those that it contains.
    pub(crate) scopes: HashMap<String, Vec<EntityUid>>,
    /// Every network that the bundle or a policy names, with its entity.
    pub(crate) networks: Vec<(Network, EntityUid)>,
    /// The addresses of the bundle. They get further parents with each request, so they are no part of `entities`.
    pub(crate) addresses: HashMap<EntityUid, Entity>,
    pub(crate) teams_closed: bool,
    pub(crate) principal_attributes: Shape,
    pub(crate) request_attributes: Shape,
}

/// The entity types of the facts, read once.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names are those of `policies/schema.cedarschema`, which describes them")]
pub struct Types {
    pub api_token: EntityTypeName,
    pub gateway_runtime: EntityTypeName,
    pub provider_key: EntityTypeName,
    pub user: EntityTypeName,
    pub other_principal: EntityTypeName,
    pub team: EntityTypeName,
    pub role: EntityTypeName,
    pub organization: EntityTypeName,
    pub gateway: EntityTypeName,
    pub consumer_group: EntityTypeName,
    pub provider: EntityTypeName,
    pub model_name: EntityTypeName,
    pub model_group: EntityTypeName,
    pub model: EntityTypeName,
    pub network: EntityTypeName,
    pub address: EntityTypeName,
    pub scope: EntityTypeName,
    pub operation: EntityTypeName,
    pub service: EntityTypeName,
}

/// The action that stands for every action that the schema does not know.
const UNKNOWN_ACTION: &str = "(unknown)";

/// The only service: the resource of every action that takes no model.
const SERVICE: &str = "cedargate";

/// Why a record is no question to Cedar.
#[derive(Debug, thiserror::Error)]
pub enum NativeError {
    /// The action takes a model and the request names none.
    #[error("`{0}` takes a model, and the request names none")]
    NoModel(String),
    /// A value of the record is not what its field holds.
    #[error("`{field}` cannot be read: `{value}`")]
    Value {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// Cedar does not take an entity, the context or the question.
    #[error("{0}")]
    Cedar(String),
}

type Facts = HashMap<String, RestrictedExpression>;

/// Decides a request as plain Cedar does.
///
/// # Errors
///
/// [`NativeError`] where the record is no question to Cedar.
pub fn decide(base: &Base, profile: &Profile, request: &Request, at: Timestamp) -> Result<Response, NativeError> {
    let (question, entities) = ask(base, profile, request, at)?;
    Ok(base.authorizer.is_authorized(&question, &base.policies, &entities))
}

/// Makes the question and the entities that it is asked over.
pub(crate) fn ask(
    base: &Base,
    profile: &Profile,
    request: &Request,
    at: Timestamp,
) -> Result<(Question, Entities), NativeError> {
    let mut seen = Mentioned { base, entities: Vec::new() };
    let principal = seen.principal(profile)?;

    let known = base.actions.get_key_value(&request.action).or_else(|| base.actions.get_key_value(UNKNOWN_ACTION));
    let Some((operation, (action, takes_model))) = known else {
        return Err(NativeError::Cedar(format!("the schema has no action `{UNKNOWN_ACTION}`")));
    };
    let resource = match &request.model {
        Some(model) if *takes_model => seen.model(request.provider.as_deref().unwrap_or_default(), model),
        None if *takes_model => return Err(NativeError::NoModel(request.action.clone())),
        _ => seen.plain(&base.types.service, SERVICE),
    };

    let mut facts = Facts::new();
    facts.insert("at".to_owned(), datetime(at));
    facts.insert("operation".to_owned(), entity(seen.plain(&base.types.operation, operation)));
    facts.insert("teams_closed".to_owned(), RestrictedExpression::new_bool(base.teams_closed));
    seen.named(&mut facts, "provider", &base.types.provider, request.provider.as_deref());
    seen.named(&mut facts, "gateway", &base.types.gateway, request.gateway_id.as_deref());
    seen.named(&mut facts, "org", &base.types.organization, request.org_id.as_deref());
    seen.named(&mut facts, "team", &base.types.team, request.team_id.as_deref());
    seen.named(&mut facts, "consumer_group", &base.types.consumer_group, request.consumer_group.as_deref());
    if let Some(client_ip) = &request.client_ip {
        seen.client(&mut facts, client_ip, profile)?;
    }
    for (field, token) in [("target", &request.target), ("current", &request.current)] {
        if let Some(token) = token {
            facts.insert(field.to_owned(), seen.token(token, profile)?);
        }
    }
    for (field, counter) in [
        ("budget", &request.budget),
        ("team_budget", &request.team_budget),
        ("rate", &request.rate),
        ("team_rate", &request.team_rate),
    ] {
        if let Some(counter) = counter {
            facts.insert(field.to_owned(), counter_facts(counter)?);
        }
    }
    if let Some(attributes) = &request.attributes {
        facts.insert("attributes".to_owned(), seen.attributes(&base.request_attributes, attributes)?);
    }

    let entities = base.entities.clone().add_entities(seen.entities, None).map_err(cedar)?;
    let context = Context::from_pairs(facts).map_err(cedar)?;
    let question = Question::new(principal, action.clone(), resource, context, None).map_err(cedar)?;
    Ok((question, entities))
}

/// The entities that a record mentions and the base does not hold. Members of sets are left out: no policy can look
/// into them, since Cedar does not walk sets.
struct Mentioned<'b> {
    base: &'b Base,
    entities: Vec<Entity>,
}

impl Mentioned<'_> {
    /// An entity of which nothing is known but what the bundle says.
    fn plain(&mut self, ty: &EntityTypeName, id: &str) -> EntityUid {
        let uid = uid(ty, id);
        if self.base.entities.get(&uid).is_none() {
            self.entities.push(Entity::with_uid(uid.clone()));
        }
        uid
    }

    fn named(&mut self, facts: &mut Facts, field: &str, ty: &EntityTypeName, id: Option<&str>) {
        if let Some(id) = id {
            facts.insert(field.to_owned(), entity(self.plain(ty, id)));
        }
    }

    /// A model lies in its provider, where it names one, and under its name.
    fn model(&mut self, provider: &str, name: &str) -> EntityUid {
        let types = &self.base.types;
        let uid = uid(&types.model, &format!("{provider}/{name}"));
        // The base has given a declared model these parents already.
        if self.base.entities.get(&uid).is_none() {
            let provider = (!provider.is_empty()).then(|| self::uid(&types.provider, provider));
            let parents = provider.into_iter().chain([self::uid(&types.model_name, name)]).collect();
            self.entities.push(Entity::new_no_attrs(uid.clone(), parents));
        }
        uid
    }

    /// A client lies in every known network that holds its address.
    fn client(&mut self, facts: &mut Facts, client_ip: &str, profile: &Profile) -> Result<(), NativeError> {
        let types = &self.base.types;
        let address = network::address(client_ip).ok_or_else(|| unreadable("client_ip", client_ip))?;
        let text = address.to_string();
        let uid = uid(&types.address, &text);
        let declared = self.base.addresses.get(&uid).cloned().map(Entity::into_inner);
        let (_, attributes, mut parents) = declared.unwrap_or_else(|| (uid.clone(), Facts::new(), HashSet::new()));
        let known = self.base.networks.iter().filter(|(network, _)| network.holds(address));
        parents.extend(known.map(|(_, uid)| uid.clone()));
        for text in profile.bindings.networks.iter().flatten() {
            let network = Network::read(text).ok_or_else(|| unreadable("networks", text))?;
            if network.holds(address) {
                parents.insert(self::uid(&types.network, &network.to_string()));
            }
        }
        self.entities.push(Entity::new(uid.clone(), attributes, parents).map_err(cedar)?);
        facts.insert("client".to_owned(), entity(uid));
        facts.insert("client_ip".to_owned(), RestrictedExpression::new_ip(text));
        Ok(())
    }

    fn principal(&mut self, profile: &Profile) -> Result<EntityUid, NativeError> {
        let types = &self.base.types;
        let ty = match profile.principal_type.as_str() {
            "api_token" => &types.api_token,
            "gateway_runtime" => &types.gateway_runtime,
            "provider_key" => &types.provider_key,
            "user" => &types.user,
            _ => &types.other_principal,
        };
        let team = profile.team_id.as_deref().map(|id| uid(&types.team, id));
        let declared = team.as_ref().is_some_and(|team| self.base.entities.get(team).is_some());
        let mut facts = Facts::new();
        facts.insert("id".to_owned(), string(&profile.id));
        facts.insert("purpose".to_owned(), string(&profile.purpose));
        facts.insert("principal_type".to_owned(), string(&profile.principal_type));
        facts.insert("status".to_owned(), string(&profile.status));
        facts.insert("team_declared".to_owned(), RestrictedExpression::new_bool(declared));
        facts.extend(profile.name.as_deref().map(|name| ("name".to_owned(), string(name))));
        facts.extend(profile.not_before.map(|at| ("not_before".to_owned(), datetime(at))));
        facts.extend(profile.expires_at.map(|at| ("expires_at".to_owned(), datetime(at))));
        facts.extend(profile.grace_until.map(|at| ("grace_until".to_owned(), datetime(at))));
        self.named(&mut facts, "org", &types.organization, profile.org_id.as_deref());
        self.named(&mut facts, "team", &types.team, profile.team_id.as_deref());
        facts.insert("bindings".to_owned(), self.bindings(&profile.bindings)?);
        if let Some(attributes) = &profile.attributes {
            facts.insert("attributes".to_owned(), self.attributes(&self.base.principal_attributes, attributes)?);
        }
        let roles = profile.roles.iter().flatten().map(|role| uid(&types.role, role));
        let parents: HashSet<EntityUid> = team.into_iter().chain(roles).collect();
        let uid = uid(ty, &profile.id);
        self.entities.push(Entity::new(uid.clone(), facts, parents).map_err(cedar)?);
        Ok(uid)
    }

    fn bindings(&mut self, bindings: &Bindings) -> Result<RestrictedExpression, NativeError> {
        let types = &self.base.types;
        let mut facts = Facts::new();
        self.named(&mut facts, "gateway", &types.gateway, bindings.gateway_id.as_deref());
        self.named(&mut facts, "consumer_group", &types.consumer_group, bindings.consumer_group.as_deref());
        if let Some(providers) = &bindings.providers {
            facts.insert("providers".to_owned(), set(providers.iter().map(|id| uid(&types.provider, id))));
        }
        if let Some(models) = &bindings.models {
            facts.insert("models".to_owned(), model_scope(types, models)?);
        }
        if let Some(scopes) = &bindings.scopes {
            let contained = scopes.iter().filter_map(|scope| self.base.scopes.get(scope)).flatten().cloned();
            let own = scopes.iter().map(|scope| uid(&types.scope, scope));
            facts.insert("scopes".to_owned(), set(own.chain(contained)));
        }
        if let Some(networks) = &bindings.networks {
            let mut uids = Vec::with_capacity(networks.len());
            for text in networks {
                let network = Network::read(text).ok_or_else(|| unreadable("networks", text))?;
                uids.push(uid(&types.network, &network.to_string()));
            }
            facts.insert("networks".to_owned(), set(uids));
        }
        RestrictedExpression::new_record(facts).map_err(cedar)
    }

    /// A token that is asked about, and what of it lies beyond who asks.
    fn token(&mut self, token: &Target, profile: &Profile) -> Result<RestrictedExpression, NativeError> {
        let types = &self.base.types;
        let mut facts = Facts::new();
        for (field, text) in [
            ("id", &token.id),
            ("name", &token.name),
            ("purpose", &token.purpose),
            ("principal_type", &token.principal_type),
        ] {
            facts.extend(text.as_deref().map(|text| (field.to_owned(), string(text))));
        }
        facts.extend(token.not_before.map(|at| ("not_before".to_owned(), datetime(at))));
        facts.extend(token.expires_at.map(|at| ("expires_at".to_owned(), datetime(at))));
        self.named(&mut facts, "org", &types.organization, token.org_id.as_deref());
        self.named(&mut facts, "team", &types.team, token.team_id.as_deref());
        if let Some(roles) = &token.roles {
            facts.insert("roles".to_owned(), set(roles.iter().map(|role| uid(&types.role, role))));
        }
        let unbound = Bindings::default();
        facts.insert("bindings".to_owned(), self.bindings(token.bindings.as_ref().unwrap_or(&unbound))?);
        if let Some(attributes) = &token.attributes {
            facts.insert("attributes".to_owned(), self.attributes(&self.base.principal_attributes, attributes)?);
        }
        for (field, entries) in beyond(self.base, profile, token)? {
            let entries = entries.iter().map(|entry| string(entry));
            facts.insert(field.to_owned(), RestrictedExpression::new_set(entries));
        }
        RestrictedExpression::new_record(facts).map_err(cedar)
    }

    fn attributes(&mut self, shape: &Shape, attributes: &Attributes) -> Result<RestrictedExpression, NativeError> {
        let mut mentioned = Vec::new();
        let value = shape.attributes(attributes, &mut mentioned).map_err(NativeError::Cedar)?;
        mentioned.retain(|uid| self.base.entities.get(uid).is_none());
        self.entities.extend(mentioned.into_iter().map(Entity::with_uid));
        Ok(value)
    }
}

/// What an entry of a list of models names, `group:NAME`, `P/*`, `P/M` or `M`, split at the first `/`; and in which set
/// it stands.
pub(crate) fn model_entry(types: &Types, model: &str) -> (&'static str, EntityUid) {
    match (model.strip_prefix("group:"), model.split_once('/')) {
        (Some(group), _) => ("groups", uid(&types.model_group, group)),
        (None, Some((provider, "*"))) => ("providers", uid(&types.provider, provider)),
        (None, Some(_)) => ("exact", uid(&types.model, model)),
        (None, None) => ("names", uid(&types.model_name, model)),
    }
}

/// A list of models as four sets.
fn model_scope(types: &Types, models: &[String]) -> Result<RestrictedExpression, NativeError> {
    let entries: Vec<_> = models.iter().map(|model| model_entry(types, model)).collect();
    let of = |field: &str| set(entries.iter().filter(|(set, _)| *set == field).map(|(_, uid)| uid.clone()));
    let fields = ["exact", "names", "providers", "groups"].map(|field| (field.to_owned(), of(field)));
    RestrictedExpression::new_record(fields).map_err(cedar)
}

fn counter_facts(counter: &Counter) -> Result<RestrictedExpression, NativeError> {
    let long = |field: &'static str, number: u64| {
        let number = i64::try_from(number).map_err(|_| unreadable(field, &number.to_string()))?;
        Ok((field.to_owned(), RestrictedExpression::new_long(number)))
    };
    let mut facts =
        vec![long("limit", counter.limit)?, long("spent", counter.spent)?, long("requested", counter.requested)?];
    facts.extend(counter.resets_at.map(|at| ("resets_at".to_owned(), datetime(at))));
    RestrictedExpression::new_record(facts).map_err(cedar)
}

pub(crate) fn uid(ty: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(ty.clone(), EntityId::new(id))
}

fn entity(uid: EntityUid) -> RestrictedExpression {
    RestrictedExpression::new_entity_uid(uid)
}

fn set(uids: impl IntoIterator<Item = EntityUid>) -> RestrictedExpression {
    RestrictedExpression::new_set(uids.into_iter().map(RestrictedExpression::new_entity_uid))
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn datetime(at: Timestamp) -> RestrictedExpression {
    RestrictedExpression::new_datetime(at.to_string())
}

pub(crate) fn unreadable(field: &'static str, value: &str) -> NativeError {
    NativeError::Value { field, value: value.to_owned() }
}

fn cedar(error: impl std::fmt::Display) -> NativeError {
    NativeError::Cedar(error.to_string())
}
