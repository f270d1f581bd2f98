//! Any text as a bundle: as the whole text, and as a file of policies under the default schema. What loads is
//! written, read again and asked.
#![no_main]

use cedargate_guest::{Limits, Principal, check_depth, decide, image, load, restore};
use libfuzzer_sys::fuzz_target;
use std::rc::Rc;

const SCHEMA: &str = include_str!("../../../policies/schema.cedarschema");

const PROFILE: &str = r#"{"id":"t","purpose":"general","principal_type":"api_token","status":"active"}"#;

const REQUEST: &str = r#"{"action":"chat.completions","provider":"openai","model":"gpt-4o"}"#;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = load(text);
    let (gated, refusals) = check_depth(text, &Limits::default());
    if refusals.is_empty() {
        assert_eq!(gated.original(gated.text.len()), text.len());
    }
    let quoted = |text: &str| -> String {
        let mut out = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
                c => out.push(c),
            }
        }
        out + "\""
    };
    let bundle = format!(
        r#"{{"v":1,"schema":{{"name":"s","text":{}}},"policies":[{{"name":"p","text":{}}}]}}"#,
        quoted(SCHEMA),
        quoted(text)
    );
    if let Ok(set) = load(&bundle) {
        let again = restore(&image(&set)).expect("a loaded set is restored");
        let principal = Principal::prepare(Rc::new(again), PROFILE).expect("a right profile is prepared");
        let decided = decide(&principal, 0, REQUEST, "");
        assert!(decided.is_ok(), "a right request is decided");
    }
});
