//! What a policy reads of a request, and how it uses the time: found in the policy's text alone.
//!
//! Both are upper bounds. A field that a policy could read counts as read, whether or not this evaluation
//! came to it, so that a request that differs only in other fields has the same decision. Time counts as
//! harmless only where it is compared with something that does not change between two requests of one
//! principal; then the decision can change only at that something. Every other use means "now only".

use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, Policy, Var};

/// The fields of a request, by their names in its text, sorted. A decision points into this list.
pub const FIELDS: [&str; 14] = [
    "action",
    "attributes",
    "budget",
    "client_ip",
    "consumer_group",
    "gateway_id",
    "model",
    "org_id",
    "provider",
    "rate",
    "target",
    "team_budget",
    "team_id",
    "team_rate",
];

/// A set of fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fields(u16);

impl Fields {
    const ALL: Self = Self((1 << FIELDS.len()) - 1);

    /// The field of this name alone; nothing for a name that is none.
    #[must_use]
    pub fn named(name: &str) -> Self {
        FIELDS.binary_search(&name).map_or(Self(0), |at| Self(1 << at))
    }

    /// The fields of either set.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The places of these fields in [`FIELDS`], ascending.
    pub fn places(self) -> impl Iterator<Item = u32> {
        (0..FIELDS.len()).filter(move |at| self.0 & (1 << at) != 0).filter_map(|at| u32::try_from(at).ok())
    }
}

/// A comparison of the time with something constant, which may change the decision.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The constant side.
    pub with: Expr,
    /// The decision may change at the constant.
    pub at: bool,
    /// The decision may change one millisecond after the constant.
    pub after: bool,
}

/// What a policy reads.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    /// The request's fields.
    pub fields: Fields,
    /// The comparisons of the time.
    pub comparisons: Vec<Comparison>,
    /// The time is used in another way.
    pub now_only: bool,
}

impl Reads {
    /// What a policy reads, in its scope and in its conditions.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let mut reads = Self::default();
        reads.walk(&policy.condition());
        reads
    }

    fn all(&mut self) {
        self.fields = Fields::ALL;
        self.now_only = true;
    }

    fn walk(&mut self, expr: &Expr) {
        match expr.expr_kind() {
            ExprKind::Lit(_) | ExprKind::Slot(_) | ExprKind::Var(Var::Principal | Var::Action) => {}
            ExprKind::Var(Var::Resource) => {
                self.fields = self.fields.or(Fields::named("model")).or(Fields::named("provider"));
            }
            ExprKind::Var(Var::Context) | ExprKind::Unknown(_) => self.all(),
            ExprKind::GetAttr { expr, attr } | ExprKind::HasAttr { expr, attr } if is_context(expr) => {
                self.context(attr);
            }
            ExprKind::ExtHasAttr { expr, attrs } if is_context(expr) => self.context(&attrs.head),
            ExprKind::GetAttr { expr, .. }
            | ExprKind::HasAttr { expr, .. }
            | ExprKind::ExtHasAttr { expr, .. }
            | ExprKind::Like { expr, .. }
            | ExprKind::Is { expr, .. }
            | ExprKind::UnaryApp { arg: expr, .. } => self.walk(expr),
            ExprKind::If { test_expr, then_expr, else_expr } => {
                self.walk(test_expr);
                self.walk(then_expr);
                self.walk(else_expr);
            }
            ExprKind::And { left, right } | ExprKind::Or { left, right } => {
                self.walk(left);
                self.walk(right);
            }
            ExprKind::BinaryApp { op, arg1, arg2 } => self.binary(*op, arg1, arg2),
            ExprKind::ExtensionFunctionApp { args, .. } => args.iter().for_each(|arg| self.walk(arg)),
            ExprKind::Set(entries) => entries.iter().for_each(|entry| self.walk(entry)),
            ExprKind::Record(fields) => fields.values().for_each(|field| self.walk(field)),
        }
    }

    fn context(&mut self, field: &str) {
        let name = match field {
            // Both follow from the action and the bundle.
            "operation" | "teams_closed" => return,
            "at" => {
                self.now_only = true;
                return;
            }
            "gateway" => "gateway_id",
            "org" => "org_id",
            "team" => "team_id",
            "client" => "client_ip",
            other => other,
        };
        let fields = Fields::named(name);
        if fields == Fields::default() {
            self.all();
        }
        self.fields = self.fields.or(fields);
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        let compared = match (is_time(left), is_time(right)) {
            (true, false) => Some((right, true)),
            (false, true) => Some((left, false)),
            _ => None,
        };
        match (op, compared) {
            (BinaryOp::Less | BinaryOp::LessEq | BinaryOp::Eq, Some((with, time_first))) if is_constant(with) => {
                // `at < c` changes at c, `at <= c` just after it, `c < at` just after it, `c <= at` at c.
                let at = op == BinaryOp::Eq || (op == BinaryOp::Less) == time_first;
                let after = op == BinaryOp::Eq || !at;
                self.comparisons.push(Comparison { with: with.clone(), at, after });
            }
            _ => {
                self.walk(left);
                self.walk(right);
            }
        }
    }
}

fn is_context(expr: &Expr) -> bool {
    matches!(expr.expr_kind(), ExprKind::Var(Var::Context))
}

fn is_time(expr: &Expr) -> bool {
    matches!(expr.expr_kind(), ExprKind::GetAttr { expr, attr } if attr == "at" && is_context(expr))
}

/// Whether an expression has the same value for every request of one principal.
fn is_constant(expr: &Expr) -> bool {
    expr.subexpressions().all(|part| {
        !matches!(part.expr_kind(), ExprKind::Var(Var::Context | Var::Resource | Var::Action) | ExprKind::Unknown(_))
    })
}
