//! Policy sets of any size with fixed shapes, from a seed.
//!
//! | share | shape | an example |
//! |---|---|---|
//! | 30 % | the token's team | `forbid (principal in Team::"t17", action, resource);` |
//! | 20 % | a model group | `permit (principal, action in …, resource in ModelGroup::"g17");` |
//! | 20 % | the gateway | `… when { context has gateway && context.gateway == Gateway::"gw-17" };` |
//! | 10 % | a customer attribute of the token | `… when { … principal.attributes.customer == "c17" };` |
//! | 10 % | two-sided, for one team | `… unless { resource in principal.bindings.providers };` |
//! | 5 % | a time window | `… when { context.at >= datetime("…") && context.at < datetime("…") };` |
//! | 5 % | what nothing can index | `… principal.name like "*-17-*"`, `… .isInRange(ip("10.1.16.0/20"))` |
//!
//! 40 % of each shape forbid. There is one team, group, gateway and so on for every ten policies, so that however
//! large a set is, about eight of its policies apply to a request of [`traffic`](crate::traffic), which names a value
//! with rules 85 times of a hundred.

use std::fmt::Write;
use std::net::Ipv4Addr;

use cedargate::model::Timestamp;
use cedargate::{Bundle, BundleError};
use serde_json::{Value, json};

use crate::dice::Dice;

/// When the first time window begins, and [`traffic`](crate::traffic) with it: 2026-04-23T00:00:00Z.
pub const START: Timestamp = Timestamp::from_millis(1_776_902_400_000);

/// The most policies of a set: what the component takes by default.
pub const POLICIES_MAX: usize = 20_000;

/// Policies for each team, group, gateway and so on.
const POLICIES_PER_VALUE: usize = 10;

/// One time window begins each hour and ends after so many minutes.
const WINDOW_MINUTES: i64 = 51;

pub(crate) const HOUR_MS: i64 = 3_600_000;

const MINUTE_MS: i64 = 60_000;

/// The shapes of policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// On the token's team, in the scope.
    Team,
    /// On a model group, in the scope.
    ModelGroup,
    /// On the gateway of the request.
    Gateway,
    /// On an attribute of the token.
    Customer,
    /// On the resource and the token together.
    TwoSided,
    /// On the time.
    Window,
    /// On nothing that can be looked up: half on the token, half on the request.
    Unindexable,
}

impl Shape {
    /// All shapes, with their shares in percent, and where in the cycle of [`forbids`] each starts: so that there
    /// are four forbids among the ten policies of the smallest set, and yet some requests that none applies to.
    const ALL: [(Self, usize, usize); 7] = [
        (Self::Team, 30, 2),
        (Self::ModelGroup, 20, 2),
        (Self::Gateway, 20, 0),
        (Self::Customer, 10, 0),
        (Self::TwoSided, 10, 0),
        (Self::Window, 5, 2),
        (Self::Unindexable, 5, 2),
    ];

    /// The name in file names and ids.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::ModelGroup => "model-group",
            Self::Gateway => "gateway",
            Self::Customer => "customer",
            Self::TwoSided => "two-sided",
            Self::Window => "window",
            Self::Unindexable => "unindexable",
        }
    }
}

/// A generated policy set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratedSet {
    policies: usize,
    seed: u64,
}

impl GeneratedSet {
    /// A set of so many policies in all, at least one and at most [`POLICIES_MAX`].
    #[must_use]
    pub fn new(policies: usize, seed: u64) -> Self {
        Self { policies: policies.clamp(1, POLICIES_MAX), seed }
    }

    /// How many policies there are.
    #[must_use]
    pub const fn policies(&self) -> usize {
        self.policies
    }

    /// How many teams there are, and groups, gateways, customers.
    #[must_use]
    pub fn values(&self) -> usize {
        (self.policies / POLICIES_PER_VALUE).max(1)
    }

    /// How many policies there are of each shape: the shares as well as whole policies can have them. What is left
    /// over goes to the largest fractions, of equal ones to the shape that is harder to be fast with.
    #[must_use]
    pub fn counts(&self) -> Vec<(Shape, usize)> {
        let mut counts: Vec<_> =
            Shape::ALL.iter().map(|(shape, percent, _)| (*shape, self.policies * percent / 100)).collect();
        let mut left = self.policies.saturating_sub(counts.iter().map(|(_, count)| count).sum());
        let mut fractions: Vec<_> =
            Shape::ALL.iter().map(|(shape, percent, _)| (self.policies * percent % 100, *shape)).collect();
        fractions.sort_unstable();
        for (_, shape) in fractions.iter().rev() {
            if let Some((_, count)) = counts.iter_mut().find(|(of, _)| of == shape)
                && left > 0
            {
                *count += 1;
                left -= 1;
            }
        }
        counts
    }

    /// The bundle: the default schema with `attributes.customer`, one file of policies for each shape, and the
    /// models, groups and teams that they speak of. The default policies are not part of it.
    ///
    /// # Errors
    ///
    /// [`BundleError`] where the set is larger than a bundle may be.
    pub fn bundle(&self) -> Result<Bundle, BundleError> {
        let mut dice = Dice::new(self.seed);
        let mut files = vec![
            ("schema.cedarschema".to_owned(), schema()),
            ("entities.json".to_owned(), self.entities().to_string()),
        ];
        for (shape, count) in self.counts() {
            let rotation = dice.below(self.values());
            let mut text = String::new();
            for number in 0..count {
                text += &self.policy(shape, number, rotation, &mut dice);
            }
            if count > 0 {
                files.push((format!("{}.cedar", shape.name()), text));
            }
        }
        Bundle::from_files(files)
    }

    /// The policy of a shape with this number among its like.
    fn policy(&self, shape: Shape, number: usize, rotation: usize, dice: &mut Dice) -> String {
        // Two halves of the last shape: each has its own way through the values.
        let turn = if shape == Shape::Unindexable { number / 2 } else { number };
        let value = (turn + rotation) % self.values();
        let forbid = forbids(shape, number);
        let mut text = head(shape, number, forbid, dice);
        let action = if forbid { "action" } else { "action in Action::\"gateway\"" };
        let (principal, resource) = match shape {
            Shape::Team => (format!("principal in Team::\"t{value}\""), "resource".to_owned()),
            Shape::TwoSided => (format!("principal in Team::\"t{value}\""), "resource is Model".to_owned()),
            Shape::ModelGroup => ("principal".to_owned(), format!("resource in ModelGroup::\"g{value}\"")),
            _ => ("principal".to_owned(), "resource".to_owned()),
        };
        let effect = if forbid { "forbid" } else { "permit" };
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{effect} ({principal}, {action}, {resource})");
        if let Some(clauses) = clauses(shape, number, value, forbid) {
            let _ = write!(text, "\n{clauses}");
        }
        text + ";\n\n"
    }

    fn entities(&self) -> Value {
        let mut entities = Vec::new();
        for value in 0..self.values() {
            let group = json!({"type": "ModelGroup", "id": format!("g{value}")});
            let scope = json!({"exact": [], "names": [], "providers": [], "groups": [group]});
            let mut add = |ty: &str, id: String, attributes: Value, parents: &[&Value]| {
                entities.push(json!({"uid": {"type": ty, "id": id}, "attrs": attributes, "parents": parents}));
            };
            add("ModelGroup", format!("g{value}"), json!({}), &[]);
            add("ModelName", format!("m{value}-a"), json!({}), &[&group]);
            add("Model", format!("openai/m{value}-b"), json!({}), &[&group]);
            add("Team", format!("t{value}"), json!({"models": scope}), &[]);
        }
        Value::Array(entities)
    }
}

/// Whether the policy of this number forbids: two of five do.
fn forbids(shape: Shape, number: usize) -> bool {
    let start = Shape::ALL.iter().find(|(of, _, _)| *of == shape).map_or(0, |(_, _, start)| *start);
    (number + start) % 5 < 2
}

/// The annotations. Most forbids are 403, as in real sets; some are 401 or 429.
fn head(shape: Shape, number: usize, forbid: bool, dice: &mut Dice) -> String {
    let name = shape.name();
    let id = format!("@id(\"{name}-{number}\")\n");
    if !forbid {
        return id;
    }
    let status = match dice.below(10) {
        0 => "401",
        1 | 2 => "429",
        _ => "403",
    };
    let code = name.replace('-', "_");
    format!("{id}@status(\"{status}\")\n@code(\"{code}_denied\")\n@message(\"The gateway does not allow this.\")\n")
}

/// The conditions behind the scope.
fn clauses(shape: Shape, number: usize, value: usize, forbid: bool) -> Option<String> {
    Some(match shape {
        Shape::ModelGroup => return None,
        Shape::Team => match number % 3 {
            0 => return None,
            1 => "when { principal.purpose == \"general\" }".to_owned(),
            _ => "unless { context has consumer_group && context.consumer_group == ConsumerGroup::\"exempt\" }"
                .to_owned(),
        },
        Shape::Gateway => format!("when {{ context has gateway && context.gateway == Gateway::\"gw-{value}\" }}"),
        Shape::Customer => {
            format!("when {{ principal has attributes.customer && principal.attributes.customer == \"c{value}\" }}")
        }
        Shape::TwoSided if forbid => {
            "when { principal.bindings has providers }\nunless { resource in principal.bindings.providers }".to_owned()
        }
        Shape::TwoSided if number.is_multiple_of(2) => {
            "when { principal has team.models && resource in principal.team.models.groups }".to_owned()
        }
        Shape::TwoSided => "when\n{\n  principal.bindings has models &&\n  \
             (resource in principal.bindings.models.groups || resource in principal.bindings.models.names)\n}"
            .to_owned(),
        Shape::Window => {
            let (from, until) = window(value);
            format!("when {{ context.at >= datetime(\"{from}\") && context.at < datetime(\"{until}\") }}")
        }
        Shape::Unindexable if number.is_multiple_of(2) => {
            let network = network(value);
            format!("when {{ context has client_ip && context.client_ip.isInRange(ip(\"{network}/20\")) }}")
        }
        Shape::Unindexable => format!("when {{ principal has name && principal.name like \"*-{value}-*\" }}"),
    })
}

fn window(value: usize) -> (Timestamp, Timestamp) {
    let hours = i64::try_from(value).unwrap_or(0);
    let from = START.as_millis() + hours * HOUR_MS;
    (Timestamp::from_millis(from), Timestamp::from_millis(from + WINDOW_MINUTES * MINUTE_MS))
}

/// The first address of a value's network of 4,096.
pub(crate) fn network(value: usize) -> Ipv4Addr {
    let value = u32::try_from(value).unwrap_or(0) & 0xfff;
    Ipv4Addr::from_bits(u32::from_be_bytes([10, 0, 0, 0]) | (value << 12))
}

/// The default schema, extended as its comments invite to.
fn schema() -> String {
    let default = Bundle::default_set();
    let text = default.files().find(|(name, _)| *name == "schema.cedarschema").map(|(_, text)| text);
    let own = "type PrincipalAttributes = { customer?: String };";
    text.unwrap_or_default().replacen("type PrincipalAttributes = {};", own, 1)
}
