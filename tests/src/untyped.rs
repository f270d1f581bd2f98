//! Worlds without a schema: any expression over a small fixed vocabulary, right or wrong.

use crate::dice::Dice;
use crate::world::{Call, Link, World, literal, uid};
use serde_json::{Value, json};

const STRINGS: [&str; 5] = ["", "a", "abc", "a*c", "é"];
const LONGS: [i64; 6] = [0, 1, -1, 42, i64::MAX, i64::MIN];
const ATTRIBUTES: [&str; 9] = ["n", "s", "b", "set", "rec", "peer", "ip", "dec", "at"];

fn user(dice: &mut Dice) -> String {
    format!("u{}", dice.below(5))
}

fn principal(dice: &mut Dice) -> Value {
    match dice.below(8) {
        0 => uid("Group", format!("g{}", dice.below(4))),
        1 => uid("Ghost", "x"),
        _ => uid("User", user(dice)),
    }
}

fn resource(dice: &mut Dice) -> Value {
    match dice.below(8) {
        0 => uid("Folder", format!("f{}", dice.below(4))),
        1 => uid("Doc", "missing"),
        _ => uid("Doc", format!("d{}", dice.below(5))),
    }
}

fn attributes(dice: &mut Dice) -> Value {
    let mut out = serde_json::Map::new();
    for name in ATTRIBUTES {
        if dice.chance(45) {
            continue;
        }
        let value = match name {
            "n" => json!(*dice.pick(&LONGS)),
            "s" => json!(*dice.pick(&STRINGS)),
            "b" => json!(dice.chance(50)),
            "set" => json!((0..dice.below(4)).map(|_| *dice.pick(&LONGS)).collect::<Vec<_>>()),
            "rec" => json!({"n": *dice.pick(&LONGS), "s": *dice.pick(&STRINGS)}),
            "peer" => json!({"__entity": principal(dice)}),
            "ip" => {
                json!({"__extn": {"fn": "ip", "arg": *dice.pick(&["10.0.0.1", "10.0.0.0/8", "::1", "192.168.0.0/16"])}})
            }
            "dec" => json!({"__extn": {"fn": "decimal", "arg": *dice.pick(&["0.0", "1.5", "-2.25"])}}),
            _ => json!({"__extn": {"fn": "datetime", "arg": *dice.pick(&["2026-01-01", "2026-04-23T12:45:00Z"])}}),
        };
        out.insert(name.to_owned(), value);
    }
    Value::Object(out)
}

fn entities(dice: &mut Dice) -> Value {
    let mut out = Vec::new();
    let mut add = |ty: &str, id: String, parents: Vec<Value>, dice: &mut Dice| {
        out.push(json!({"uid": uid(ty, id), "attrs": attributes(dice), "parents": parents}));
    };
    for at in 0..4 {
        let parents =
            if at > 0 && dice.chance(50) { vec![uid("Group", format!("g{}", dice.below(at)))] } else { vec![] };
        add("Group", format!("g{at}"), parents, dice);
        let parents =
            if at > 0 && dice.chance(50) { vec![uid("Folder", format!("f{}", dice.below(at)))] } else { vec![] };
        add("Folder", format!("f{at}"), parents, dice);
    }
    for at in 0..5 {
        if dice.chance(80) {
            let parents = (0..dice.below(3)).map(|_| uid("Group", format!("g{}", dice.below(4)))).collect();
            add("User", format!("u{at}"), parents, dice);
        }
        if dice.chance(80) {
            let parents = (0..dice.below(3)).map(|_| uid("Folder", format!("f{}", dice.below(4)))).collect();
            add("Doc", format!("d{at}"), parents, dice);
        }
    }
    for action in ["read", "write"] {
        out.push(json!({"uid": uid("Action", action), "attrs": {}, "parents": [uid("Action", "all")]}));
    }
    out.push(json!({"uid": uid("Action", "all"), "attrs": {}, "parents": []}));
    Value::Array(out)
}

/// An expression of any type: most are right, some can only err.
fn expression(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 || dice.chance(15) {
        return leaf(dice);
    }
    let sub = |dice: &mut Dice| expression(dice, depth - 1);
    match dice.below(22) {
        0 | 1 => format!("({} && {})", boolean(dice, depth - 1), boolean(dice, depth - 1)),
        2 | 3 => format!("({} || {})", boolean(dice, depth - 1), boolean(dice, depth - 1)),
        4 => format!("!({})", boolean(dice, depth - 1)),
        5 => format!("(if {} then {} else {})", boolean(dice, depth - 1), sub(dice), sub(dice)),
        6 => format!("({} == {})", sub(dice), sub(dice)),
        7 => format!("({} != {})", sub(dice), sub(dice)),
        8 => format!("({} {} {})", sub(dice), dice.pick(&["<", "<=", ">", ">="]), sub(dice)),
        9 => format!("({} {} {})", sub(dice), dice.pick(&["+", "-"]), sub(dice)),
        10 => format!("({} * {})", sub(dice), dice.pick(&LONGS[..4])),
        11 => format!("-({})", sub(dice)),
        12 => format!("({} in {})", sub(dice), sub(dice)),
        13 => format!("({} in [{}, {}])", variable(dice), literal(&principal(dice)), literal(&resource(dice))),
        14 => format!("({} has {})", variable(dice), dice.pick(&ATTRIBUTES)),
        15 => format!("({} like \"{}\")", sub(dice), dice.pick(&["*", "a*", "a\\*c", ""])),
        16 => format!("({} is {})", variable(dice), dice.pick(&["User", "Group", "Doc"])),
        17 => format!("[{}, {}].contains({})", sub(dice), sub(dice), sub(dice)),
        18 => {
            format!("{}.{}({})", variable_attribute(dice, "set"), dice.pick(&["containsAll", "containsAny"]), sub(dice))
        }
        19 => format!("{}.isInRange(ip(\"10.0.0.0/8\"))", variable_attribute(dice, "ip")),
        20 => format!("{}.lessThan(decimal(\"1.0\"))", variable_attribute(dice, "dec")),
        _ => format!(
            "({} < {}.offset(duration(\"1h\")))",
            variable_attribute(dice, "at"),
            variable_attribute(dice, "at")
        ),
    }
}

/// Something that is a boolean more often than not.
fn boolean(dice: &mut Dice, depth: usize) -> String {
    match dice.below(8) {
        0 => dice.pick(&["true", "false"]).to_string(),
        // Long enough to be balanced at load, and mixed, so that precedence counts.
        5 if depth > 0 => {
            let first = boolean(dice, depth - 1);
            (0..4 + dice.below(8))
                .fold(first, |text, _| format!("{text} {} {}", dice.pick(&["&&", "||"]), boolean(dice, 0)))
        }
        1 => format!("({} has {})", variable(dice), dice.pick(&ATTRIBUTES)),
        2 => {
            let (var, attribute) = (variable(dice), *dice.pick(&ATTRIBUTES));
            format!("({var} has {attribute} && {var}.{attribute} == {})", leaf(dice))
        }
        3 => format!("({} in {})", variable(dice), literal(&uid("Group", format!("g{}", dice.below(4))))),
        4 => format!("({} == {})", variable(dice), variable(dice)),
        _ => expression(dice, depth),
    }
}

fn variable(dice: &mut Dice) -> &'static str {
    dice.pick::<&str>(&["principal", "resource", "context", "action", "principal"])
}

fn variable_attribute(dice: &mut Dice, attribute: &str) -> String {
    format!("{}.{attribute}", variable(dice))
}

fn leaf(dice: &mut Dice) -> String {
    match dice.below(9) {
        0 => dice.pick(&LONGS[..5]).to_string(),
        1 => json!(*dice.pick(&["", "a", "abc"])).to_string(),
        2 => dice.pick(&["true", "false"]).to_string(),
        3 => literal(&principal(dice)),
        4 => literal(&resource(dice)),
        5 => variable(dice).to_owned(),
        6 => format!("[{}]", dice.pick(&LONGS[..4])),
        _ => format!("{}.{}", variable(dice), dice.pick(&ATTRIBUTES)),
    }
}

fn scope(dice: &mut Dice, variable: &str, literals: fn(&mut Dice) -> Value, ty: &str) -> String {
    match dice.below(7) {
        0 => format!("{variable} == {}", literal(&literals(dice))),
        1 => format!("{variable} in {}", literal(&literals(dice))),
        2 => format!("{variable} is {ty}"),
        3 => format!("{variable} is {ty} in {}", literal(&literals(dice))),
        _ => variable.to_owned(),
    }
}

fn action_scope(dice: &mut Dice) -> String {
    match dice.below(6) {
        0 => "action == Action::\"read\"".into(),
        1 => "action in Action::\"all\"".into(),
        2 => "action in [Action::\"write\", Action::\"read\"]".into(),
        _ => "action".into(),
    }
}

fn policy(dice: &mut Dice, principal_scope: String, resource_scope: String) -> String {
    let effect = if dice.chance(60) { "permit" } else { "forbid" };
    let mut out = format!("{effect}({principal_scope}, {}, {resource_scope})", action_scope(dice));
    for _ in 0..dice.below(3) {
        let keyword = if dice.chance(70) { "when" } else { "unless" };
        out.push_str(&format!(" {keyword} {{ {} }}", boolean(dice, 3)));
    }
    out.push(';');
    out
}

/// The world of a seed.
pub fn world(seed: u64) -> World {
    let dice = &mut Dice::new(seed);
    let mut policies = Vec::new();
    for at in 0..1 + dice.below(10) {
        let (p, r) = (scope(dice, "principal", principal, "User"), scope(dice, "resource", resource, "Doc"));
        policies.push((format!("p{at}"), policy(dice, p, r)));
    }
    let mut templates = Vec::new();
    let mut links = Vec::new();
    for at in 0..dice.below(3) {
        let with_principal = dice.chance(70);
        let p = if with_principal { "principal in ?principal".to_owned() } else { "principal".to_owned() };
        let with_resource = !with_principal || dice.chance(50);
        let r = if with_resource { "resource == ?resource".to_owned() } else { "resource".to_owned() };
        templates.push((format!("t{at}"), policy(dice, p, r)));
        for number in 0..dice.below(3) {
            let slot = |with: bool, value: Value| with.then_some(value);
            let (p, r) = (slot(with_principal, principal(dice)), slot(with_resource, resource(dice)));
            links.push(Link { template: format!("t{at}"), id: format!("t{at}-l{number}"), principal: p, resource: r });
        }
    }
    let calls = (0..4)
        .map(|_| {
            let action = uid("Action", *dice.pick(&["read", "write", "read", "delete"]));
            let (principal, resource, context) = (principal(dice), resource(dice), attributes(dice));
            Call { principal, action, resource, context, entities: json!([]), validate: true }
        })
        .collect();
    World { schema: None, policies, templates, links, entities: entities(dice), calls }
}
