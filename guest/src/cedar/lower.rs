//! From Cedar's expressions to nodes.

use crate::cedar::import::{self, Import};
use crate::facts::symbol::Layer;
use crate::facts::value::{Attr, Heap, Scratch, Value, World};
use crate::program::code::{N, Node, One, Pattern, Two, Variable, Writer};
use crate::program::interpreter::Scene;
use cedar_policy_core::ast::{BinaryOp, EntityUID, Expr, ExprKind, Literal, PatternElem, SlotEnv, UnaryOp, Var};

/// Compiles conditions into one code.
#[derive(Debug)]
pub struct Compiler<'s> {
    /// The code so far.
    pub writer: &'s mut Writer,
    /// Where constants go.
    pub import: Import<'s>,
}

impl Compiler<'_> {
    /// The node of an expression. `None` where it holds something that has no compiled form.
    pub fn node(&mut self, expr: &Expr, slots: &SlotEnv) -> Option<N> {
        let node = match expr.expr_kind() {
            ExprKind::Lit(literal) => Node::Const(self.literal(literal)),
            ExprKind::Slot(slot) => Node::Const(self.entity(slots.get(slot)?)),
            ExprKind::Var(Var::Principal) => Node::Var(Variable::Principal),
            ExprKind::Var(Var::Action) => Node::Var(Variable::Action),
            ExprKind::Var(Var::Resource) => Node::Var(Variable::Resource),
            ExprKind::Var(Var::Context) => Node::Var(Variable::Context),
            ExprKind::Unknown(_) => return None,
            ExprKind::If { test_expr, then_expr, else_expr } => {
                Node::If(self.node(test_expr, slots)?, self.node(then_expr, slots)?, self.node(else_expr, slots)?)
            }
            ExprKind::And { left, right } => Node::And(self.node(left, slots)?, self.node(right, slots)?),
            ExprKind::Or { left, right } => Node::Or(self.node(left, slots)?, self.node(right, slots)?),
            ExprKind::UnaryApp { op, arg } => {
                let op = match op {
                    UnaryOp::Not => One::Not,
                    UnaryOp::Neg => One::Neg,
                    UnaryOp::IsEmpty => One::IsEmpty,
                };
                Node::One(op, self.node(arg, slots)?)
            }
            ExprKind::BinaryApp { op, arg1, arg2 } => {
                Node::Two(two(*op), self.node(arg1, slots)?, self.node(arg2, slots)?)
            }
            ExprKind::ExtensionFunctionApp { fn_name, args } => {
                return self.call(&fn_name.to_string(), args, slots);
            }
            ExprKind::GetAttr { expr, attr } => Node::Get(self.node(expr, slots)?, self.attr(attr)),
            ExprKind::HasAttr { expr, attr } => Node::Has(self.node(expr, slots)?, self.attr(attr)),
            ExprKind::ExtHasAttr { expr, attrs } => {
                let of = self.node(expr, slots)?;
                let path = attrs.iter().map(|attr| self.attr(attr)).collect();
                Node::HasPath(of, self.writer.attributes(path))
            }
            ExprKind::Like { expr, pattern } => {
                let of = self.node(expr, slots)?;
                let mut parts = vec![String::new()];
                for element in pattern.iter() {
                    match element {
                        PatternElem::Wildcard => parts.push(String::new()),
                        PatternElem::Char(c) => parts.last_mut()?.push(*c),
                    }
                }
                Node::Like(of, self.writer.pattern(Pattern(parts)))
            }
            ExprKind::Is { expr, entity_type } => {
                let of = self.node(expr, slots)?;
                Node::Is(of, self.import.vocabulary.type_id(&entity_type.to_string()))
            }
            ExprKind::Set(entries) => {
                let nodes: Option<Vec<N>> = entries.iter().map(|entry| self.node(entry, slots)).collect();
                let nodes = nodes?;
                let constants: Option<Vec<Value>> = nodes.iter().map(|node| self.constant(*node)).collect();
                match constants {
                    Some(values) => Node::Const(self.import.set(values)),
                    None => Node::Set(self.writer.operands(nodes)),
                }
            }
            ExprKind::Record(fields) => {
                let names = fields.keys().map(|name| self.attr(name)).collect();
                let nodes: Option<Vec<N>> = fields.values().map(|field| self.node(field, slots)).collect();
                Node::Record(self.writer.attributes(names), self.writer.operands(nodes?))
            }
        };
        let place = self.writer.node(node);
        Some(self.fold(place, &node))
    }

    fn constant(&self, at: N) -> Option<Value> {
        match self.writer.code.node(at) {
            Some(Node::Const(value)) => Some(*value),
            _ => None,
        }
    }

    /// An expression over constants is their value, where it has one and can be kept.
    fn fold(&mut self, at: N, node: &Node) -> N {
        let foldable = matches!(node, Node::One(..) | Node::Two(..));
        let code = &self.writer.code;
        if !foldable || !code.children(node).all(|child| matches!(code.node(child), Some(Node::Const(_)))) {
            return at;
        }
        let (empty, scratch) = (Heap::new(Layer::Request), Scratch::default());
        let none = Value::Bool(false);
        // A layer that still grows is looked up name by name, and no entity is read here but by its own number.
        let world = World { set: self.import.heap, principal: &empty, request: &empty, scratch: &scratch };
        let scene = Scene { code, world, principal: none, action: none, resource: none, context: none };
        let entities = code.children(node).filter_map(|child| self.constant(child));
        if entities.into_iter().any(|value| matches!(value, Value::Entity(..))) {
            return at;
        }
        match scene.value(at) {
            Ok(value @ (Value::Bool(_) | Value::Long(_) | Value::DateTime(_) | Value::Duration(_))) => {
                self.writer.node(Node::Const(value))
            }
            _ => at,
        }
    }

    fn literal(&mut self, literal: &Literal) -> Value {
        match literal {
            Literal::Bool(value) => Value::Bool(*value),
            Literal::Long(value) => Value::Long(*value),
            Literal::String(text) => self.import.text(text),
            Literal::EntityUID(uid) => self.entity(uid),
        }
    }

    fn entity(&mut self, uid: &EntityUID) -> Value {
        self.import.entity(uid)
    }

    fn attr(&mut self, name: &str) -> Attr {
        self.import.vocabulary.attribute(name)
    }

    fn call(&mut self, name: &str, args: &[Expr], slots: &SlotEnv) -> Option<N> {
        if let ("ip" | "decimal" | "datetime" | "duration", [arg]) = (name, args) {
            // Strict validation admits constructors with literals only, and checks that they have a value.
            let ExprKind::Lit(Literal::String(text)) = arg.expr_kind() else { return None };
            let value = import::construct(name, text)?;
            return Some(self.writer.node(Node::Const(value)));
        }
        let nodes: Option<Vec<N>> = args.iter().map(|arg| self.node(arg, slots)).collect();
        let node = match (nodes?.as_slice(), name) {
            ([a], name) => Node::One(one_of(name)?, *a),
            ([a, b], "greaterThan") => Node::Two(Two::DecimalLess, *b, *a),
            ([a, b], "greaterThanOrEqual") => Node::Two(Two::DecimalLessEq, *b, *a),
            ([a, b], name) => Node::Two(two_of(name)?, *a, *b),
            _ => return None,
        };
        let place = self.writer.node(node);
        Some(self.fold(place, &node))
    }
}

fn two(op: BinaryOp) -> Two {
    match op {
        BinaryOp::Eq => Two::Eq,
        BinaryOp::Less => Two::Less,
        BinaryOp::LessEq => Two::LessEq,
        BinaryOp::Add => Two::Add,
        BinaryOp::Sub => Two::Sub,
        BinaryOp::Mul => Two::Mul,
        BinaryOp::In => Two::In,
        BinaryOp::Contains => Two::Contains,
        BinaryOp::ContainsAll => Two::ContainsAll,
        BinaryOp::ContainsAny => Two::ContainsAny,
        BinaryOp::GetTag => Two::GetTag,
        BinaryOp::HasTag => Two::HasTag,
    }
}

fn one_of(name: &str) -> Option<One> {
    Some(match name {
        "isIpv4" => One::IsIpv4,
        "isIpv6" => One::IsIpv6,
        "isLoopback" => One::IsLoopback,
        "isMulticast" => One::IsMulticast,
        "toDate" => One::ToDate,
        "toTime" => One::ToTime,
        "toMilliseconds" => One::ToMilliseconds,
        "toSeconds" => One::ToSeconds,
        "toMinutes" => One::ToMinutes,
        "toHours" => One::ToHours,
        "toDays" => One::ToDays,
        _ => return None,
    })
}

fn two_of(name: &str) -> Option<Two> {
    Some(match name {
        "lessThan" => Two::DecimalLess,
        "lessThanOrEqual" => Two::DecimalLessEq,
        "isInRange" => Two::IsInRange,
        "offset" => Two::Offset,
        "durationSince" => Two::DurationSince,
        _ => return None,
    })
}
