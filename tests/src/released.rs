//! What is expected of the default bundle of version 0.1.0 in a later component.
//!
//! Its schema has no place for the token as it is, so what it would decide about tokens has no decision; everything else
//! is decided as then.

use crate::corpus::Case;
use serde_json::{Value, json};

/// The actions of that bundle that are about tokens.
pub const TOKEN_ACTIONS: [&str; 7] = [
    "tokens.create",
    "tokens.edit",
    "tokens.export",
    "tokens.inspect",
    "tokens.list",
    "tokens.revoke",
    "tokens.rotate",
];

/// The status of a request that cannot be read.
const UNREADABLE: u16 = 400;

/// Whether a case of that time has no decision any more.
pub fn is_undecided(case: &Case) -> bool {
    let request: Value = serde_json::from_str(case.request.get()).expect("a request");
    let unreadable = case.expect.as_ref().is_some_and(|expect| expect.status == Some(UNREADABLE));
    !unreadable && request["action"].as_str().is_some_and(|action| TOKEN_ACTIONS.contains(&action))
}

/// The line of a case with what is expected of it now. Everything else stays as it is written.
pub fn expecting(line: &str, case: &Case) -> String {
    if !is_undecided(case) {
        return line.to_owned();
    }
    let (record, _) = line.rsplit_once(",\"expect\":").expect("a case that ends with what it expects");
    let expect = json!({"decision": "deny", "status": 503, "code": "policy_unavailable", "policies": []});
    format!("{record},\"expect\":{expect}}}")
}
