//! Policies of every shape that can be nested, at any depth.

use cedargate_guest::{Limits, check_depth};
use serde_json::{Value, json};

use crate::corpus;

/// A way to nest.
pub struct Shape {
    /// Its name.
    pub name: &'static str,
    /// The condition at a depth, from 1 on.
    write: fn(usize) -> String,
    /// What the condition stands in.
    around: Around,
}

enum Around {
    /// A policy with one `when`.
    Policy,
    /// The text is all clauses of a policy.
    Clauses,
    /// A template with a link.
    Template,
}

const fn shape(name: &'static str, write: fn(usize) -> String) -> Shape {
    Shape { name, write, around: Around::Policy }
}

/// A condition that is false and that the validator cannot know.
const FALSE: &str = "context.teams_closed";

/// Every shape.
pub const SHAPES: &[Shape] = &[
    shape("brackets", |n| wrap(n, "(", FALSE, ")")),
    shape("not", |n| wrap(n, "!(", FALSE, ")")),
    shape("not-four-times", |n| wrap(n, "!!!!(", FALSE, ")")),
    shape("minus", |n| format!("{} == 1", wrap(n, "-(", "1", ")"))),
    shape("if-in-test", |n| wrap(n, "if ", FALSE, " then false else true")),
    shape("if-in-then", |n| wrap(n, "if true then ", FALSE, " else false")),
    shape("if-in-else", |n| wrap(n, "if context.teams_closed then false else ", FALSE, "")),
    shape("if-in-test-bracketed", |n| wrap(n, "if (", FALSE, ") then false else true")),
    shape("and-flat", |n| vec!["true"; n + 1].join(" && ")),
    shape("or-flat", |n| vec![FALSE; n + 1].join(" || ")),
    shape("and-or-flat", |n| vec!["true && context.teams_closed"; n + 1].join(" || ")),
    shape("and-nested-right", |n| wrap(n, "true && (", "true", ")")),
    shape("and-nested-left", |n| wrap(n, "(", "true", ") && true")),
    shape("or-nested-right", |n| wrap(n, "context.teams_closed || (", FALSE, ")")),
    shape("or-nested-left", |n| wrap(n, "(", FALSE, ") || context.teams_closed")),
    shape("and-or-nested", |n| wrap(n, "true && (context.teams_closed || (", FALSE, "))")),
    shape("and-of-five-nested", |n| wrap(n, "true && true && true && true && (", FALSE, ")")),
    shape("or-of-five-nested", |n| {
        wrap(
            n,
            "(",
            FALSE,
            ") || context.teams_closed || context.teams_closed || context.teams_closed || context.teams_closed",
        )
    }),
    shape("plus", |n| format!("{} > 0", vec!["1"; n + 1].join(" + "))),
    shape("plus-nested", |n| format!("{} > 0", wrap(n, "1 + (", "1", ")"))),
    shape("times", |n| format!("{} == 1", vec!["1"; n + 1].join(" * "))),
    shape("equal-nested", |n| wrap(n, "(", FALSE, ") == false")),
    shape("unequal-nested", |n| wrap(n, "(", FALSE, ") != false")),
    shape("less-nested", |n| wrap(n, "1 < (if ", FALSE, " then 1 else 2)")),
    shape("greater-equal-nested", |n| wrap(n, "1 >= (if ", FALSE, " then 1 else 2)")),
    shape("sets", |n| format!("{0} == {0}", wrap(n, "[", "1", "]"))),
    shape("records", |n| format!("{0} == {0}", wrap(n, "{a: ", "1", "}"))),
    shape("attributes", |n| format!("{}{} == 1", wrap(n, "{a: ", "1", "}"), ".a".repeat(n))),
    shape("attributes-quoted", |n| format!("{}{} == 1", wrap(n, "{\"a b\": ", "1", "}"), "[\"a b\"]".repeat(n))),
    shape("has", |n| format!("{} has {}", wrap(n, "{a: ", "1", "}"), vec!["a"; n].join("."))),
    shape("has-nested", |n| wrap(n, "{a: ", FALSE, "} has a")),
    shape("methods", |n| format!("context.at{} > context.at", ".toDate()".repeat(n))),
    shape("methods-with-arguments", |n| format!("context.at{} > context.at", ".offset(duration(\"1h\"))".repeat(n))),
    shape("methods-nested", |n| {
        format!("context.at > {}", wrap(n, "context.at.offset(context.at.durationSince(", "context.at", "))"))
    }),
    shape("contains", |n| wrap(n, "[", FALSE, "].contains(false)")),
    shape("contains-argument", |n| wrap(n, "[false].contains(", FALSE, ")")),
    shape("contains-all", |n| wrap(n, "[false].containsAll([", FALSE, "])")),
    shape("contains-any", |n| wrap(n, "[[false].containsAny([", FALSE, "])].contains(true)")),
    shape("in", |n| wrap(n, "principal in (if ", FALSE, " then Team::\"a\" else Team::\"b\")")),
    shape("in-list", |n| wrap(n, "principal in [if ", FALSE, " then Team::\"a\" else Team::\"b\"]")),
    shape("is-in", |n| wrap(n, "principal is ApiToken in (if ", FALSE, " then Team::\"a\" else Team::\"b\")")),
    shape("is", |n| wrap(n, "(if ", FALSE, " then principal else principal) is ApiToken")),
    shape("like", |n| wrap(n, "(if ", FALSE, " then \"a\" else \"b\") like \"a*\"")),
    Shape {
        name: "when-clauses",
        write: |n| format!("when {{ {FALSE} }} ").replacen(FALSE, "true", 1).repeat(n),
        around: Around::Clauses,
    },
    Shape { name: "unless-clauses", write: |n| format!("unless {{ {FALSE} }} ").repeat(n), around: Around::Clauses },
    Shape {
        name: "clauses-over-a-nest",
        write: |n| format!("{} when {{ {} }}", "when { true }".repeat(n), wrap(n, "!(", FALSE, ")")),
        around: Around::Clauses,
    },
    Shape { name: "template", write: |n| wrap(n, "!(", FALSE, ")"), around: Around::Template },
];

fn wrap(times: usize, before: &str, inner: &str, after: &str) -> String {
    [before.repeat(times).as_str(), inner, after.repeat(times).as_str()].concat()
}

impl Shape {
    /// The text of a policy that is nested so deep.
    pub fn policy(&self, depth: usize) -> String {
        let condition = (self.write)(depth);
        match self.around {
            Around::Policy => format!("@id(\"deep\") permit (principal, action, resource) when {{ {condition} }};"),
            Around::Clauses => format!("@id(\"deep\") permit (principal, action, resource) {condition};"),
            Around::Template => {
                format!("@id(\"deep\") permit (principal in ?principal, action, resource) when {{ {condition} }};")
            }
        }
    }

    /// The greatest depth that the gate lets through.
    pub fn deepest(&self) -> usize {
        let accepted = |depth: usize| check_depth(&self.policy(depth), &Limits::default()).1.is_empty();
        // Flat chains end where a policy may not be longer.
        let (mut low, mut high) = (1, 2);
        assert!(accepted(low), "`{}` is refused at once", self.name);
        while accepted(high) {
            (low, high) = (high, high * 2);
        }
        while high - low > 1 {
            let middle = low.midpoint(high);
            if accepted(middle) { low = middle } else { high = middle }
        }
        low
    }

    /// The text of a bundle whose only policy is nested so deep.
    pub fn bundle(&self, depth: usize) -> String {
        let mut bundle: Value = serde_json::from_str(&corpus::bundle(None)).expect("the default bundle");
        bundle["policies"] = json!([{"name": "deep.cedar", "text": self.policy(depth)}]);
        if matches!(self.around, Around::Template) {
            let links = r#"[{"template_id":"deep","link_id":"deep-link","args":{"?principal":{"type":"Team","id":"frontend"}}}]"#;
            bundle["links"] = json!([{"name": "deep.links.json", "text": links}]);
        }
        bundle.to_string()
    }
}
