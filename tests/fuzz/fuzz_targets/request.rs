//! Any text as a profile, a request, counters and a call of the general door, under a set with attributes.
//! The input's first line is the profile, the second the request, the third the counters.
#![no_main]

use cedargate_guest::{PolicySet, Principal, authorize, decide, load, text};
use libfuzzer_sys::fuzz_target;
use std::rc::Rc;

const PROFILE: &str = r#"{"id":"t","purpose":"general","principal_type":"api_token","status":"active"}"#;

thread_local! {
    static SET: Rc<PolicySet> = Rc::new(load(&bundle()).expect("the bundle loads"));
}

fn bundle() -> String {
    let schema = include_str!("../../../policies/schema.cedarschema")
        .replace("type PrincipalAttributes = {};", "type PrincipalAttributes = { customer?: String, limits?: { tier: Long, nets: Set<ipaddr> }, since?: datetime, lead?: Team };")
        .replace("type RequestAttributes = {};", "type RequestAttributes = { tags?: Set<String>, cost?: decimal, wait?: duration };");
    let policies = include_str!("../../../policies/profiles.cedar");
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    format!(
        r#"{{"v":1,"schema":{{"name":"s","text":"{}"}},"policies":[{{"name":"p","text":"{}"}}]}}"#,
        quoted(&schema),
        quoted(policies)
    )
}

fuzz_target!(|data: &[u8]| {
    let Ok(input) = std::str::from_utf8(data) else { return };
    let mut lines = input.split('\n');
    let (profile, request, counters) =
        (lines.next().unwrap_or(""), lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    SET.with(|set| {
        let _ = authorize(set, input);
        let first = Principal::prepare(Rc::clone(set), profile);
        let principal = first.unwrap_or_else(|_| Principal::prepare(Rc::clone(set), PROFILE).expect("it is right"));
        let decided = decide(&principal, 1_776_948_300_000, request, counters);
        if let Ok(decision) = &decided {
            assert!(decision.until >= decision.since);
        }
        let _ = text(set, 0, &decided);
    });
});
