//! From a profile and a request to the entities and the context that policies read.

pub(crate) mod attributes;
pub(crate) mod kind;
pub(crate) mod reach;
pub(crate) mod shape;
pub(crate) mod symbol;
mod token;
pub(crate) mod value;
pub(crate) mod vocabulary;

use self::attributes::AttributesError;
use crate::contract::id::ModelBinding;
use crate::contract::limits::Limits;
use crate::contract::network::{self, Network};
use crate::contract::profile::{Bindings, Counter, InputError, Profile, Request};
use crate::contract::strict::Str;
use crate::contract::time::Millis;
use crate::facts::kind::Kind;
use crate::facts::reach::Reach;
use crate::facts::shape::Shape;
use crate::facts::symbol::{Layer, Symbol, TEXT, TypeId};
use crate::facts::value::{Field, Heap, Scratch, Value, World};
use crate::facts::vocabulary::{Fact, Vocabulary};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

pub use token::{OUTSIDE, Own, TokenShape};

/// The id of the only [`Kind::Service`]: the resource of every action that takes no model.
pub const SERVICE: &str = "cedargate";

/// What of a bundle facts are made with.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ground {
    /// Types and attributes.
    pub vocabulary: Vocabulary,
    /// What the set knows: the bundle's entities, the schema's actions, what policies name.
    pub heap: Heap,
    /// Every network that the bundle or a policy names.
    pub networks: Vec<(Network, Symbol)>,
    /// For every scope that contains others: those, and those in them.
    pub contained: BTreeMap<Symbol, Vec<Symbol>>,
    /// What the schema declares as attributes of principals, by their type.
    pub principal_attributes: BTreeMap<TypeId, Shape>,
    /// Whether teams that the bundle does not declare are refused.
    pub teams_closed: bool,
}

/// What facts are made with.
#[derive(Debug, Clone, Copy)]
pub struct Maker<'s> {
    /// What the bundle says.
    pub ground: &'s Ground,
    /// The set's limits.
    pub limits: &'s Limits,
}

/// A principal as policies see it.
#[derive(Debug)]
pub struct PrincipalFacts {
    /// The principal.
    pub principal: Value,
    /// What it adds to the set's layer.
    pub heap: Heap,
    /// The networks that it names.
    pub networks: Vec<(Network, Symbol)>,
    /// What it may pass on.
    pub own: Own,
}

/// A request as policies see it.
#[derive(Debug)]
pub struct RequestFacts {
    /// The resource.
    pub resource: Value,
    /// The context, without the time.
    pub context: Vec<Field>,
}

/// Fields of a record under construction.
#[derive(Debug, Default)]
struct Fields(Vec<Field>);

impl Fields {
    fn set(&mut self, fact: Fact, value: Value) {
        self.0.push((fact.into(), value));
    }

    fn set_some(&mut self, fact: Fact, value: Option<Value>) {
        if let Some(value) = value {
            self.set(fact, value);
        }
    }
}

/// Collects what a text mentions into a layer.
#[derive(Debug)]
pub struct Mentioned<'s> {
    /// What facts are made with.
    pub maker: Maker<'s>,
    principal: Option<&'s Heap>,
    heap: &'s mut Heap,
    networks: Vec<(Network, Symbol)>,
    buffer: String,
}

impl Mentioned<'_> {
    fn name(&mut self, ty: TypeId, text: &str) -> Symbol {
        let known = self.maker.ground.heap.names.find(ty, text);
        let known = known.or_else(|| self.principal.and_then(|heap| heap.names.find(ty, text)));
        known.or_else(|| self.heap.names.find(ty, text)).unwrap_or_else(|| self.heap.names.add(ty, text))
    }

    /// A string.
    pub fn text(&mut self, text: &str) -> Value {
        Value::Text(self.name(TEXT, text))
    }

    /// An entity. A model lies in its provider and under its name, whether the bundle declares it or not.
    pub fn entity(&mut self, ty: TypeId, id: &str) -> Value {
        let sym = self.name(ty, id);
        if ty == Kind::Model.into() {
            self.put_model(sym, id);
        }
        Value::Entity(ty, sym)
    }

    /// A set of values.
    pub fn set(&mut self, mut values: Vec<Value>) -> Value {
        self.with_world(|world| world.sort(&mut values));
        self.heap.add_sorted_set(&values)
    }

    /// A record.
    pub fn record(&mut self, mut fields: Vec<Field>) -> Value {
        self.heap.add_record(&mut fields)
    }

    fn with_world<R>(&self, then: impl FnOnce(World<'_>) -> R) -> R {
        let scratch = Scratch::default();
        let set = &self.maker.ground.heap;
        let principal = self.principal.unwrap_or(self.heap);
        then(World { set, principal, request: self.heap, scratch: &scratch })
    }

    fn ancestors(&self, of: Symbol, into: &mut Vec<Symbol>) {
        into.push(of);
        self.with_world(|world| into.extend_from_slice(world.ancestors(of)));
    }

    /// Puts an entity below parents, in addition to those that the bundle declares.
    fn put(&mut self, entity: Symbol, parents: &[Symbol]) {
        let mut ancestors = Vec::with_capacity(parents.len() + 4);
        for parent in parents {
            self.ancestors(*parent, &mut ancestors);
        }
        let (attributes, tags) = self.with_world(|world| {
            ancestors.extend_from_slice(world.ancestors(entity));
            (world.attributes(entity), world.tags(entity))
        });
        self.heap.add_entity(entity, attributes, tags, &mut ancestors);
    }

    fn put_model(&mut self, model: Symbol, id: &str) {
        if self.with_world(|world| world.is_known(model)) {
            return;
        }
        let Some((provider, name)) = id.split_once('/') else { return };
        let name = self.name(Kind::ModelName.into(), name);
        if provider.is_empty() {
            self.put(model, &[name]);
        } else {
            let provider = self.name(Kind::Provider.into(), provider);
            self.put(model, &[provider, name]);
        }
    }

    fn plain(&mut self, kind: Kind, id: &str) -> Value {
        self.entity(kind.into(), id)
    }

    fn plain_some(&mut self, kind: Kind, id: Option<&str>) -> Option<Value> {
        id.map(|id| self.plain(kind, id))
    }

    fn text_some(&mut self, text: Option<&str>) -> Option<Value> {
        text.map(|text| self.text(text))
    }

    fn model(&mut self, provider: Option<&str>, model: &str) -> Value {
        let mut id = std::mem::take(&mut self.buffer);
        id.clear();
        id.push_str(provider.unwrap_or_default());
        id.push('/');
        id.push_str(model);
        let value = self.plain(Kind::Model, &id);
        self.buffer = id;
        value
    }

    /// The models of a list as policies see them, and what its entries name.
    fn models<T: AsRef<str>>(&mut self, list: &[T]) -> Result<(Value, Vec<Symbol>), InputError> {
        let (mut exact, mut names, mut providers, mut groups) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut named = Vec::with_capacity(list.len());
        for entry in list {
            let entry = ModelBinding::read(entry.as_ref(), self.maker.limits);
            let (entity, set) = match entry.map_err(|e| InputError::field("models", e))? {
                ModelBinding::Exact { provider, model } => (self.model(Some(provider), model), &mut exact),
                ModelBinding::Name(name) => (self.plain(Kind::ModelName, name), &mut names),
                ModelBinding::Provider(provider) => (self.plain(Kind::Provider, provider), &mut providers),
                ModelBinding::Group(group) => (self.plain(Kind::ModelGroup, group), &mut groups),
            };
            set.push(entity);
            named.extend(sym(entity));
        }
        let mut scope = Fields::default();
        for (fact, values) in
            [(Fact::Exact, exact), (Fact::Symbols, names), (Fact::Providers, providers), (Fact::Groups, groups)]
        {
            let set = self.set(values);
            scope.set(fact, set);
        }
        Ok((self.record(scope.0), named))
    }

    /// Bindings as policies see them, and what their lists name.
    fn bindings(&mut self, bindings: Option<&Bindings<'_>>) -> Result<(Value, Reach), InputError> {
        let (mut out, mut reach) = (Fields::default(), Reach::default());
        let Some(bindings) = bindings else { return Ok((self.record(out.0), reach)) };
        let Bindings { gateway_id, consumer_group, providers, models, scopes, networks } = bindings;
        out.set_some(Fact::Gateway, self.plain_some(Kind::Gateway, gateway_id.as_deref()));
        out.set_some(Fact::ConsumerGroup, self.plain_some(Kind::ConsumerGroup, consumer_group.as_deref()));
        if let Some(list) = providers {
            let entities: Vec<Value> = list.iter().map(|id| self.plain(Kind::Provider, id)).collect();
            reach.providers = Some(entities.iter().copied().filter_map(sym).collect());
            out.set(Fact::Providers, self.set(entities));
        }
        if let Some(list) = models {
            let (models, named) = self.models(list)?;
            reach.models = Some(named);
            out.set(Fact::Models, models);
        }
        if let Some(list) = scopes {
            out.set(Fact::Scopes, self.scopes(list));
        }
        if let Some(list) = networks {
            let mut entities = Vec::with_capacity(list.len());
            let mut named = Vec::with_capacity(list.len());
            for text in list {
                let network = Network::read(text).map_err(|e| InputError::field("networks", e))?;
                let sym = self.name(Kind::Network.into(), &network.to_string());
                entities.push(Value::Entity(Kind::Network.into(), sym));
                self.networks.push((network, sym));
                named.push(network);
            }
            reach.networks = Some(named);
            out.set(Fact::Networks, self.set(entities));
        }
        Ok((self.record(out.0), reach))
    }

    /// The scopes of a list, and every scope that they contain.
    fn scopes(&mut self, list: &[Str<'_>]) -> Value {
        let ty = TypeId::from(Kind::Scope);
        let mut out = Vec::with_capacity(list.len());
        for scope in list {
            let scope = self.name(ty, scope);
            out.push(Value::Entity(ty, scope));
            let within = self.maker.ground.contained.get(&scope).into_iter().flatten();
            out.extend(within.map(|narrow| Value::Entity(ty, *narrow)));
        }
        self.set(out)
    }

    fn attributes(&mut self, text: &str, declared: Option<&Shape>) -> Result<Value, InputError> {
        attributes::convert(text, declared, self).map_err(|error| match &error {
            AttributesError::Malformed(_) => InputError::Malformed(error.to_string()),
            AttributesError::Conform { .. } => InputError::Invalid(error.to_string()),
        })
    }

    fn client(&mut self, address: IpAddr, facts: &mut Fields, named: &[(Network, Symbol)]) {
        let known = self.maker.ground.networks.iter().chain(named);
        let parents: Vec<Symbol> =
            known.filter(|(network, _)| network.contains(address)).map(|(_, network)| *network).collect();
        let ty = TypeId::from(Kind::Address);
        let client = self.name(ty, &address.to_string());
        self.put(client, &parents);
        facts.set(Fact::Client, Value::Entity(ty, client));
        facts.set(Fact::ClientIp, Value::Ip(address, if address.is_ipv4() { 32 } else { 128 }));
    }

    fn counters(&mut self, counters: [(Fact, Option<Counter>); 4], facts: &mut Fields) {
        for (fact, counter) in counters {
            let Some(Counter { limit, spent, requested, resets_at }) = counter else { continue };
            let mut fields = Fields::default();
            fields.set(Fact::Limit, Value::Long(limit));
            fields.set(Fact::Spent, Value::Long(spent));
            fields.set(Fact::Requested, Value::Long(requested));
            fields.set_some(Fact::ResetsAt, time(resets_at));
            facts.set(fact, self.record(fields.0));
        }
    }
}

fn sym(entity: Value) -> Option<Symbol> {
    match entity {
        Value::Entity(_, sym) => Some(sym),
        _ => None,
    }
}

fn time(at: Option<Millis>) -> Option<Value> {
    at.map(|Millis(at)| Value::DateTime(at))
}

impl<'s> Maker<'s> {
    /// The facts of a principal.
    ///
    /// # Errors
    /// A binding or an attribute that cannot be read.
    pub fn principal(self, profile: &Profile<'_>) -> Result<PrincipalFacts, InputError> {
        let mut heap = Heap::new(Layer::Principal);
        let mut seen =
            Mentioned { maker: self, principal: None, heap: &mut heap, networks: Vec::new(), buffer: String::new() };
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
            budgets,
            attributes,
        } = profile;
        let ty = TypeId::from(Kind::of_principal(principal_type));
        let mut facts = Fields::default();
        facts.set(Fact::Id, seen.text(id));
        facts.set_some(Fact::Name, seen.text_some(name.as_deref()));
        facts.set(Fact::Purpose, seen.text(purpose));
        facts.set(Fact::PrincipalType, seen.text(principal_type));
        facts.set(Fact::Status, seen.text(status));
        facts.set_some(Fact::NotBefore, time(*not_before));
        facts.set_some(Fact::ExpiresAt, time(*expires_at));
        facts.set_some(Fact::GraceUntil, time(*grace_until));
        facts.set_some(Fact::Org, seen.plain_some(Kind::Organization, org_id.as_deref()));
        let team = team_id.as_deref().map(|id| seen.name(Kind::Team.into(), id));
        let declared = team.is_some_and(|team| self.ground.heap.is_known(team));
        facts.set(Fact::TeamDeclared, Value::Bool(declared));
        facts.set_some(Fact::Team, team.map(|team| Value::Entity(Kind::Team.into(), team)));
        let (bound, reach) = seen.bindings(bindings.as_ref()).map_err(|e| e.within("bindings"))?;
        facts.set(Fact::Bindings, bound);
        let own = Own { reach, budgets: budgets.as_ref().map(|list| list.iter().map(Into::into).collect()) };
        if let Some(text) = attributes {
            facts.set(Fact::Attributes, seen.attributes(text.get(), self.ground.principal_attributes.get(&ty))?);
        }
        let principal = seen.name(ty, id);
        let mut ancestors = Vec::new();
        let roles: Vec<Symbol> = roles.iter().flatten().map(|role| seen.name(Kind::Role.into(), role)).collect();
        for parent in team.into_iter().chain(roles) {
            seen.ancestors(parent, &mut ancestors);
        }
        let networks = std::mem::take(&mut seen.networks);
        if let Value::Record(attributes) = heap.add_record(&mut facts.0) {
            heap.add_entity(principal, Some(attributes), None, &mut ancestors);
        }
        Ok(PrincipalFacts { principal: Value::Entity(ty, principal), heap, networks, own })
    }

    /// The facts of a request for an action, which is the declared one or the unknown one. They go into `heap`,
    /// above those of the principal.
    ///
    /// # Errors
    /// What the action takes and the request lacks, and values that cannot be read.
    pub fn request(
        self,
        action: &ActionFacts,
        request: &Request<'_>,
        principal: &'s PrincipalFacts,
        heap: &'s mut Heap,
    ) -> Result<RequestFacts, InputError> {
        let mut seen = Mentioned {
            maker: self,
            principal: Some(&principal.heap),
            heap,
            networks: Vec::new(),
            buffer: String::new(),
        };
        let mut facts = Fields(Vec::with_capacity(16));
        let resource = match (action.takes, &request.model) {
            (Takes::Model, Some(model)) => seen.model(request.provider.as_deref(), model),
            (Takes::Model, None) => {
                return Err(InputError::Invalid("this action takes a model, and `model` is absent".into()));
            }
            (Takes::Service, _) => seen.plain(Kind::Service, SERVICE),
        };
        self.of_action(action, &mut facts);
        for (fact, kind, id) in [
            (Fact::Provider, Kind::Provider, &request.provider),
            (Fact::Gateway, Kind::Gateway, &request.gateway_id),
            (Fact::Org, Kind::Organization, &request.org_id),
            (Fact::Team, Kind::Team, &request.team_id),
            (Fact::ConsumerGroup, Kind::ConsumerGroup, &request.consumer_group),
        ] {
            facts.set_some(fact, seen.plain_some(kind, id.as_deref()));
        }
        if let Some(text) = &request.client_ip {
            let address = network::address(text).map_err(|e| InputError::field("client_ip", e))?;
            seen.client(address, &mut facts, &principal.networks);
        }
        seen.counters(request.counters(), &mut facts);
        if let Some(target) = &request.target {
            let target = seen.token(target, &action.target, &principal.own).map_err(|e| e.within("target"))?;
            facts.set(Fact::Target, target);
        }
        if let (Some(current), Some(shape)) = (&request.current, &action.current) {
            let current = seen.token(current, shape, &principal.own).map_err(|e| e.within("current"))?;
            facts.set(Fact::Current, current);
        }
        if let Some(text) = &request.attributes {
            facts.set(Fact::Attributes, seen.attributes(text.get(), action.attributes.as_ref())?);
        }
        Ok(RequestFacts { resource, context: facts.0 })
    }

    /// The context of a request of which only the action and the counters are known, without the time.
    pub fn bare_request(
        self,
        action: &ActionFacts,
        counters: [(Fact, Option<Counter>); 4],
        principal: &'s Heap,
        heap: &'s mut Heap,
    ) -> Vec<Field> {
        let mut facts = Fields(Vec::with_capacity(8));
        self.of_action(action, &mut facts);
        let principal = Some(principal);
        let mut seen = Mentioned { maker: self, principal, heap, networks: Vec::new(), buffer: String::new() };
        seen.counters(counters, &mut facts);
        facts.0
    }

    fn of_action(self, action: &ActionFacts, facts: &mut Fields) {
        facts.set(Fact::Operation, Value::Entity(Kind::Operation.into(), action.operation));
        facts.set(Fact::TeamsClosed, Value::Bool(self.ground.teams_closed));
    }
}

/// What of an action facts are made with.
#[derive(Debug, Serialize, Deserialize)]
pub struct ActionFacts {
    /// The action.
    pub action: Symbol,
    /// The action as scopes name it.
    pub operation: Symbol,
    /// The resource it takes.
    pub takes: Takes,
    /// What the schema declares as attributes of its requests.
    pub attributes: Option<Shape>,
    /// What the schema declares of a token as it would be stored.
    pub target: TokenShape,
    /// What the schema declares of a token as it is, where it declares that.
    pub current: Option<TokenShape>,
    /// Whether it cannot be decided about without the token as it is.
    pub about_tokens: bool,
}

impl ActionFacts {
    /// Whether the rules of this action cannot know what they are asked about, since the schema has no place for it:
    /// they were written when it was no fact, and would admit what they do not see.
    #[must_use]
    pub fn is_blind(&self, request: &Request<'_>) -> bool {
        self.current.is_none() && (self.about_tokens || request.current.is_some())
    }
}

/// The resource that an action takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Takes {
    /// A model, which the request must name.
    Model,
    /// The service as a whole.
    Service,
}
