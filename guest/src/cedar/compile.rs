//! From Cedar's own forms to rules: the last stage of loading.

use crate::cedar::full::Full;
use crate::cedar::import::Import;
use crate::cedar::lower::Compiler;
use crate::cedar::{types, uid};
use crate::decide::policy_set::Entry;
use crate::facts::kind::Kind;
use crate::facts::symbol::{Layer, TypeId};
use crate::facts::value::{Heap, Value};
use crate::facts::vocabulary::{Fact, Vocabulary};
use crate::facts::{ActionFacts, Ground, Takes};
use crate::load::annotation::Class;
use crate::program::code::Writer;
use crate::program::rules::{Draft, Effect, Rules};
use cedar_policy_core::validator::ValidatorSchema;

/// Compiles a set. The second is whether every policy has a compiled form.
pub fn compile(full: &Full, table: &[Entry], teams_closed: bool) -> Option<(Rules, bool)> {
    let schema = full.schema.as_ref()?;
    let mut ground = Ground { heap: Heap::new(Layer::Set), teams_closed, ..Ground::default() };
    let Ground { vocabulary, heap, .. } = &mut ground;
    for ty in schema.entity_types() {
        vocabulary.type_id(&ty.name().to_string());
    }
    let to_entities = types::to_entities(vocabulary, types::declared(schema));
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
        let declared = schema.get_entity_type(uid::entity_type(kind)).and_then(|ty| ty.attr(Fact::Attributes.name()));
        if let Some(declared) = declared {
            let shape = types::shape(&declared.attr_type, schema, import.vocabulary);
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
        let condition =
            condition.unwrap_or_else(|| compiler.writer.node(crate::program::code::Node::Const(Value::Bool(false))));
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

/// What the ids of actions begin with that are about tokens.
const TOKEN_ACTIONS: &str = "tokens.";

/// The actions that apply to something.
fn actions(schema: &ValidatorSchema, import: &mut Import<'_>) -> Vec<(String, ActionFacts)> {
    let mut out = Vec::new();
    for declared in schema.action_ids() {
        let mut applies = declared.applies_to_resources().peekable();
        let action = declared.name();
        if applies.peek().is_none() || action.entity_type() != uid::action_type() {
            continue;
        }
        let takes = if applies.any(|ty| ty == uid::entity_type(Kind::Model)) { Takes::Model } else { Takes::Service };
        let id: &str = action.eid().as_ref();
        let context = schema.context_type(action);
        let declared = |fact: Fact| context.and_then(|context| types::field(context, fact));
        let attributes = declared(Fact::Attributes).map(|ty| types::shape(ty, schema, import.vocabulary));
        let target = declared(Fact::Target).map(|ty| types::token(ty, schema, import.vocabulary)).unwrap_or_default();
        let current = declared(Fact::Current).map(|ty| types::token(ty, schema, import.vocabulary));
        let about_tokens = id.starts_with(TOKEN_ACTIONS);
        let (action, operation) = (import.name(Vocabulary::ACTION, id), import.name(Kind::Operation.into(), id));
        let facts = ActionFacts { action, operation, takes, attributes, target, current, about_tokens };
        out.push((id.to_owned(), facts));
    }
    // The schema's own order is that of a hash table.
    out.sort_by(|(a, _), (b, _)| a.cmp(b));
    out
}
