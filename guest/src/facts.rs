//! From the texts of a profile and a request to the entities and the context that policies read.

use crate::attributes::{self, AttributesError};
use crate::id::ModelBinding;
use crate::kind::{self, Kind};
use crate::limits::Limits;
use crate::network::{self, Network};
use crate::profile::{Bindings, Counter, InputError, Profile, Request, Target};
use crate::statics::Statics;
use crate::time::Millis;
use crate::value::{self, Record};
use cedar_policy_core::ast::{Entity, EntityUID, PartialValue, Value};
use cedar_policy_core::validator::ValidatorSchema;
use cedar_policy_core::validator::types::Type;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// The id of the only [`Kind::Service`]: the resource of every action that takes no model.
pub const SERVICE: &str = "cedargate";

/// What facts are made with.
#[derive(Debug, Clone, Copy)]
pub struct Maker<'s> {
    /// The bundle's schema.
    pub schema: &'s ValidatorSchema,
    /// The bundle's entities.
    pub statics: &'s Statics,
    /// The set's limits.
    pub limits: &'s Limits,
    /// Whether teams that the bundle does not declare are refused.
    pub teams_closed: bool,
}

/// A principal as policies see it.
#[derive(Debug)]
pub struct PrincipalFacts {
    /// The principal.
    pub uid: EntityUID,
    /// The principal and everything that it names.
    pub entities: Vec<Arc<Entity>>,
    /// The networks that it names.
    pub networks: BTreeSet<Network>,
}

/// A request as policies see it.
#[derive(Debug)]
pub struct RequestFacts {
    /// The resource.
    pub resource: EntityUID,
    /// The context, without the time.
    pub context: Record,
    /// Everything that the request names.
    pub entities: Vec<Arc<Entity>>,
}

/// Collects the entities that a text mentions, each once.
struct Mentioned<'s> {
    maker: Maker<'s>,
    entities: BTreeMap<EntityUID, Arc<Entity>>,
    networks: BTreeSet<Network>,
}

impl Mentioned<'_> {
    fn add(&mut self, uid: EntityUID, mut parents: Vec<EntityUID>) -> EntityUID {
        let statics = self.maker.statics;
        if !self.entities.contains_key(&uid) {
            parents.extend(model_parents(&uid));
            for parent in &parents {
                statics.reach(statics.with_parents(parent.clone(), []), &mut self.entities);
            }
            statics.reach(statics.with_parents(uid.clone(), parents), &mut self.entities);
        }
        uid
    }

    fn plain(&mut self, kind: Kind, id: &str) -> EntityUID {
        self.add(kind.uid(id), Vec::new())
    }

    fn plain_some(&mut self, kind: Kind, id: Option<&str>) -> Option<EntityUID> {
        id.map(|id| self.plain(kind, id))
    }

    fn model(&mut self, provider: Option<&str>, model: &str) -> EntityUID {
        self.plain(Kind::Model, &format!("{}/{model}", provider.unwrap_or_default()))
    }

    fn models(&mut self, list: &[String]) -> Result<Value, InputError> {
        let (mut exact, mut names, mut providers, mut groups) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for entry in list {
            match ModelBinding::read(entry, self.maker.limits).map_err(|e| InputError::field("models", e))? {
                ModelBinding::Exact { provider, model } => exact.push(self.model(Some(provider), model)),
                ModelBinding::Name(name) => names.push(self.plain(Kind::ModelName, name)),
                ModelBinding::Provider(provider) => providers.push(self.plain(Kind::Provider, provider)),
                ModelBinding::Group(group) => groups.push(self.plain(Kind::ModelGroup, group)),
            }
        }
        let mut scope = Record::default();
        scope.set("exact", value::entities(exact));
        scope.set("names", value::entities(names));
        scope.set("providers", value::entities(providers));
        scope.set("groups", value::entities(groups));
        Ok(scope.into())
    }

    fn bindings(&mut self, bindings: Option<&Bindings>) -> Result<Record, InputError> {
        let mut out = Record::default();
        let Some(bindings) = bindings else { return Ok(out) };
        let Bindings { gateway_id, consumer_group, providers, models, scopes, networks } = bindings;
        out.set_some("gateway", self.plain_some(Kind::Gateway, gateway_id.as_deref()));
        out.set_some("consumer_group", self.plain_some(Kind::ConsumerGroup, consumer_group.as_deref()));
        if let Some(list) = providers {
            let uids: Vec<_> = list.iter().map(|id| self.plain(Kind::Provider, id)).collect();
            out.set("providers", value::entities(uids));
        }
        if let Some(list) = models {
            let models = self.models(list)?;
            out.set("models", models);
        }
        if let Some(list) = scopes {
            let closure = self.maker.statics.scope_closure(list.iter().map(String::as_str));
            let uids: Vec<_> = closure.iter().map(|scope| self.plain(Kind::Scope, scope)).collect();
            out.set("scopes", value::entities(uids));
        }
        if let Some(list) = networks {
            let mut uids = Vec::with_capacity(list.len());
            for text in list {
                let network = Network::read(text).map_err(|e| InputError::field("networks", e))?;
                uids.push(self.plain(Kind::Network, &network.to_string()));
                self.networks.insert(network);
            }
            out.set("networks", value::entities(uids));
        }
        Ok(out)
    }

    fn attributes(&mut self, text: &str, declared: Option<&Type>) -> Result<Value, InputError> {
        let converted =
            attributes::convert(text, declared, self.maker.schema, self.maker.limits).map_err(
                |error| match &error {
                    AttributesError::Malformed(_) => InputError::Malformed(error.to_string()),
                    AttributesError::Conform { .. } => InputError::Invalid(error.to_string()),
                },
            )?;
        for uid in converted.entities {
            self.add(uid, Vec::new());
        }
        Ok(converted.value)
    }
}

/// A model lies in its provider, if it names one, and under its name. Nothing else has parents by its id.
#[must_use]
pub fn model_parents(uid: &EntityUID) -> Vec<EntityUID> {
    let id: &str = uid.eid().as_ref();
    match id.split_once('/') {
        Some((provider, name)) if uid.entity_type() == Kind::Model.entity_type() => {
            let provider = (!provider.is_empty()).then(|| Kind::Provider.uid(provider));
            provider.into_iter().chain([Kind::ModelName.uid(name)]).collect()
        }
        _ => Vec::new(),
    }
}

impl<'s> Maker<'s> {
    fn mentioned(self) -> Mentioned<'s> {
        Mentioned { maker: self, entities: BTreeMap::new(), networks: BTreeSet::new() }
    }

    /// The facts of a principal.
    ///
    /// # Errors
    /// A binding or an attribute that cannot be read.
    pub fn principal(self, profile: &Profile) -> Result<PrincipalFacts, InputError> {
        let mut seen = self.mentioned();
        let kind = Kind::of_principal(&profile.principal_type);
        let Profile {
            id,
            name,
            purpose,
            principal_type,
            status,
            org_id,
            team_id,
            roles,
            not_before,
            expires_at,
            grace_until,
            bindings,
            attributes,
        } = profile;
        let mut facts = Record::default();
        facts.set("id", id.as_str());
        facts.set_some("name", name.as_deref());
        facts.set("purpose", purpose.as_str());
        facts.set("principal_type", principal_type.as_str());
        facts.set("status", status.as_str());
        set_time(&mut facts, "not_before", *not_before)?;
        set_time(&mut facts, "expires_at", *expires_at)?;
        set_time(&mut facts, "grace_until", *grace_until)?;
        facts.set_some("org", seen.plain_some(Kind::Organization, org_id.as_deref()));
        let team = team_id.as_deref().map(|id| Kind::Team.uid(id));
        facts.set("team_declared", team.as_ref().is_some_and(|team| self.statics.get(team).is_some()));
        facts.set_some("team", seen.plain_some(Kind::Team, team_id.as_deref()));
        let bindings = seen.bindings(bindings.as_ref()).map_err(|e| e.within("bindings"))?;
        facts.set("bindings", bindings);
        if let Some(text) = attributes {
            let declared = self.schema.get_entity_type(kind.entity_type()).and_then(|ty| ty.attr("attributes"));
            let value = seen.attributes(text.get(), declared.map(|attr| attr.attr_type.as_ref()))?;
            facts.set("attributes", value);
        }
        let mut parents: Vec<EntityUID> = team.into_iter().collect();
        parents.extend(roles.iter().flatten().map(|role| seen.plain(Kind::Role, role)));
        let uid = kind.uid(id);
        let shape = self.statics.with_parents(uid.clone(), parents);
        let entity = Entity::new_with_attr_partial_value(
            uid.clone(),
            facts.into_map().into_iter().map(|(field, value)| (field, PartialValue::Value(value))),
            shape.indirect_ancestors().cloned().collect(),
            shape.parents().cloned().collect(),
            [],
        );
        seen.entities.insert(uid.clone(), Arc::new(entity));
        Ok(PrincipalFacts { uid, entities: seen.entities.into_values().collect(), networks: seen.networks })
    }

    /// The facts of a request for an action, which is the declared one or the unknown one. `networks` are
    /// those that the principal names.
    ///
    /// # Errors
    /// What the action takes and the request lacks, and values that cannot be read.
    pub fn request(
        self,
        action: &str,
        takes: Takes,
        request: &Request,
        networks: &BTreeSet<Network>,
    ) -> Result<RequestFacts, InputError> {
        let mut seen = self.mentioned();
        let mut facts = Record::default();
        let resource = match (takes, &request.model) {
            (Takes::Model, Some(model)) => seen.model(request.provider.as_deref(), model),
            (Takes::Model, None) => {
                return Err(InputError::Invalid("this action takes a model, and `model` is absent".into()));
            }
            (Takes::Service, _) => seen.plain(Kind::Service, SERVICE),
        };
        facts.set("operation", seen.plain(Kind::Operation, action));
        facts.set("teams_closed", self.teams_closed);
        for (field, kind, id) in [
            ("provider", Kind::Provider, &request.provider),
            ("gateway", Kind::Gateway, &request.gateway_id),
            ("org", Kind::Organization, &request.org_id),
            ("team", Kind::Team, &request.team_id),
            ("consumer_group", Kind::ConsumerGroup, &request.consumer_group),
        ] {
            facts.set_some(field, seen.plain_some(kind, id.as_deref()));
        }
        if let Some(text) = &request.client_ip {
            let address = network::address(text).map_err(|e| InputError::field("client_ip", e))?;
            self.client(address, networks, &mut facts, &mut seen)?;
        }
        for (field, counter) in request.counters() {
            facts.set_some(field, counter.map(counter_facts).transpose()?);
        }
        if let Some(target) = &request.target {
            let target = target_facts(target, &mut seen).map_err(|e| e.within("target"))?;
            facts.set("target", target);
        }
        if let Some(text) = &request.attributes {
            let declared = match self.schema.context_type(&kind::action(action)) {
                Some(Type::Record { attrs, .. }) => attrs.get_attr("attributes"),
                _ => None,
            };
            let value = seen.attributes(text.get(), declared.map(|attr| attr.attr_type.as_ref()))?;
            facts.set("attributes", value);
        }
        Ok(RequestFacts { resource, context: facts, entities: seen.entities.into_values().collect() })
    }

    fn client(
        self,
        address: IpAddr,
        networks: &BTreeSet<Network>,
        facts: &mut Record,
        seen: &mut Mentioned<'_>,
    ) -> Result<(), InputError> {
        let known = self.statics.networks.iter().chain(networks).filter(|network| network.contains(address));
        let parents: Vec<_> = known.map(|network| Kind::Network.uid(&network.to_string())).collect();
        let text = address.to_string();
        facts.set("client", seen.add(Kind::Address.uid(&text), parents));
        let ip = value::call("ip", &[text.as_str().into()]);
        facts.set("client_ip", ip.ok_or_else(|| InputError::field("client_ip", "cannot be read"))?);
        Ok(())
    }
}

/// The resource that an action takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A model, which the request must name.
    Model,
    /// The service as a whole.
    Service,
}

fn set_time(facts: &mut Record, field: &'static str, at: Option<Millis>) -> Result<(), InputError> {
    if let Some(at) = at {
        facts.set(field, value::datetime(at).ok_or_else(|| InputError::field(field, "is out of range"))?);
    }
    Ok(())
}

fn counter_facts(counter: Counter) -> Result<Record, InputError> {
    let Counter { limit, spent, requested, resets_at } = counter;
    let mut facts = Record::default();
    facts.set("limit", limit);
    facts.set("spent", spent);
    facts.set("requested", requested);
    set_time(&mut facts, "resets_at", resets_at)?;
    Ok(facts)
}

fn target_facts(target: &Target, seen: &mut Mentioned<'_>) -> Result<Record, InputError> {
    let Target { id, name, purpose, principal_type, org_id, team_id, roles, bindings, not_before, expires_at } = target;
    let mut facts = Record::default();
    for (field, text) in [("id", id), ("name", name), ("purpose", purpose), ("principal_type", principal_type)] {
        facts.set_some(field, text.as_deref());
    }
    facts.set_some("org", seen.plain_some(Kind::Organization, org_id.as_deref()));
    facts.set_some("team", seen.plain_some(Kind::Team, team_id.as_deref()));
    if let Some(list) = roles {
        let uids: Vec<_> = list.iter().map(|role| seen.plain(Kind::Role, role)).collect();
        facts.set("roles", value::entities(uids));
    }
    let bindings = seen.bindings(bindings.as_ref()).map_err(|e| e.within("bindings"))?;
    facts.set("bindings", bindings);
    set_time(&mut facts, "not_before", *not_before)?;
    set_time(&mut facts, "expires_at", *expires_at)?;
    Ok(facts)
}
