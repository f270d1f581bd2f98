//! The last stage of loading: from Cedar's own forms to rules.

use crate::analysis;
use crate::annotation::Class;
use crate::code::Writer;
use crate::compile::Compiler;
use crate::facts::{ActionFacts, Ground, OUTSIDE, Takes, TokenShape};
use crate::import::Import;
use crate::kind::{self, Kind};
use crate::names::{Layer, TypeId};
use crate::rules::{Draft, Effect, Rules};
use crate::set::{Entry, Full};
use crate::shape::Shape;
use crate::val::{Heap, Val};
use crate::vocabulary::{Fact, Vocabulary};
use cedar_policy_core::validator::ValidatorSchema;
use cedar_policy_core::validator::types::Type;

/// Compiles a set. The second is whether every policy has a compiled form.
pub(super) fn compile(full: &Full, table: &[Entry], teams_closed: bool) -> Option<(Rules, bool)> {
    let schema = full.schema.as_ref()?;
    let mut ground = Ground { heap: Heap::new(Layer::Set), teams_closed, ..Ground::default() };
    let Ground { vocabulary, heap, .. } = &mut ground;
    for ty in schema.entity_types() {
        vocabulary.type_id(&ty.name().to_string());
    }
    let to_entities = analysis::to_entities(vocabulary, declared(schema));
    let mut import = Import { vocabulary, heap };
    for entity in full.statics.entities.iter() {
        import.add(entity)?;
    }
    let scope = TypeId::from(Kind::Scope);
    let mut contained = Vec::new();
    for (wide, narrow) in full.statics.contained() {
        let narrow = narrow.iter().map(|scope_id| import.name(scope, scope_id)).collect();
        contained.push((import.name(scope, wide), narrow));
    }
    let network = TypeId::from(Kind::Network);
    let networks = full.statics.networks.iter().map(|it| (*it, import.name(network, &it.to_string()))).collect();
    let actions = actions(schema, &mut import);
    let mut principal_attributes = Vec::new();
    for kind in Kind::PRINCIPALS {
        let declared = schema.get_entity_type(kind.entity_type()).and_then(|ty| ty.attr(Fact::Attributes.name()));
        if let Some(declared) = declared {
            let shape = Shape::of(&declared.attr_type, schema, import.vocabulary);
            principal_attributes.push((TypeId::from(kind), shape));
        }
    }
    let mut writer = Writer::default();
    let mut compiler = Compiler { writer: &mut writer, import };
    let (mut drafts, mut compiled) = (Vec::with_capacity(table.len()), true);
    for (policy, entry) in full.policies.iter().zip(table) {
        let condition = compiler.node(&policy.condition(), policy.env());
        compiled &= condition.is_some();
        // A condition that has no compiled form is never used: Cedar's evaluator decides for such a set.
        let condition = condition.unwrap_or_else(|| compiler.writer.node(crate::code::Node::Const(Val::Bool(false))));
        let effect = match &entry.denial {
            Some(denial) => Effect::Forbid(denial.class),
            None if entry.forbids => Effect::Forbid(Class::Forbidden),
            None => Effect::Permit,
        };
        drafts.push(Draft { condition, effect });
    }
    ground.contained = contained.into_iter().collect();
    ground.networks = networks;
    ground.principal_attributes = principal_attributes.into_iter().collect();
    ground.heap.freeze();
    Some((Rules::build(ground, writer.code, &to_entities, actions, &drafts), compiled))
}

/// Every attribute that the schema declares, with its type.
fn declared(schema: &ValidatorSchema) -> impl Iterator<Item = (&str, &Type)> {
    let entities = schema
        .entity_types()
        .flat_map(|ty| ty.attributes().iter())
        .map(|(name, attr)| (name.as_str(), attr.attr_type.as_ref()));
    let contexts = schema.action_ids().filter_map(|action| schema.context_type(action.name())).map(|ty| ("", ty));
    entities.chain(contexts)
}

/// What the ids of actions begin with that are about tokens.
const TOKEN_ACTIONS: &str = "tokens.";

/// The type of a field of a record.
fn field(ty: &Type, fact: Fact) -> Option<&Type> {
    match ty {
        Type::Record { attrs, .. } => attrs.get_attr(fact.name()).map(|attr| attr.attr_type.as_ref()),
        Type::Never
        | Type::Bool(_)
        | Type::Long
        | Type::String
        | Type::Set { .. }
        | Type::Entity(_)
        | Type::ExtensionType { .. } => None,
    }
}

/// What a schema declares of a token that is asked about.
fn token(ty: &Type, schema: &ValidatorSchema, vocabulary: &mut Vocabulary) -> TokenShape {
    TokenShape {
        attributes: field(ty, Fact::Attributes).map(|ty| Shape::of(ty, schema, vocabulary)),
        outside: OUTSIDE.map(|fact| field(ty, fact).is_some()),
    }
}

/// The actions that apply to something.
fn actions(schema: &ValidatorSchema, import: &mut Import<'_>) -> Vec<(String, ActionFacts)> {
    let mut out = Vec::new();
    for declared in schema.action_ids() {
        let mut applies = declared.applies_to_resources().peekable();
        let uid = declared.name();
        if applies.peek().is_none() || uid.entity_type() != kind::action("").entity_type() {
            continue;
        }
        let takes = if applies.any(|ty| ty == Kind::Model.entity_type()) { Takes::Model } else { Takes::Service };
        let id: &str = uid.eid().as_ref();
        let context = schema.context_type(uid);
        let declared = |fact: Fact| context.and_then(|context| field(context, fact));
        let attributes = declared(Fact::Attributes).map(|ty| Shape::of(ty, schema, import.vocabulary));
        let target = declared(Fact::Target).map(|ty| token(ty, schema, import.vocabulary)).unwrap_or_default();
        let current = declared(Fact::Current).map(|ty| token(ty, schema, import.vocabulary));
        let about_tokens = id.starts_with(TOKEN_ACTIONS);
        let (action, operation) = (import.name(Vocabulary::ACTION, id), import.name(Kind::Operation.into(), id));
        let facts = ActionFacts { action, operation, takes, attributes, target, current, about_tokens };
        out.push((id.to_owned(), facts));
    }
    // The schema's own order is that of a hash table.
    out.sort_by(|(a, _), (b, _)| a.cmp(b));
    out
}
