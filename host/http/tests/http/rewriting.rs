//! A provider gets the client's body byte for byte, but for the model's name.

use crate::asking::{parts, post, read};
use bytes::Bytes;

fn rewritten(uri: &str, body: &str, model: &str, usage: bool) -> String {
    let asked = post(uri, body).unwrap();
    String::from_utf8(asked.body_for(&Bytes::copy_from_slice(body.as_bytes()), model, usage).to_vec()).unwrap()
}

#[test]
fn only_the_model_is_replaced() {
    for (body, expected) in [
        (
            r#" {"a":1, "model" : "openai/gpt-4o" ,"b":"openai/gpt-4o"} "#,
            r#" {"a":1, "model" : "gpt-4o" ,"b":"openai/gpt-4o"} "#,
        ),
        (r#"{"model":"openai\/gpt-4o","x":"\u00e9"}"#, r#"{"model":"gpt-4o","x":"\u00e9"}"#),
        (r#"{"model":"gpt-4o"}"#, r#"{"model":"gpt-4o"}"#),
    ] {
        assert_eq!(rewritten("/v1/chat/completions", body, "gpt-4o", false), expected);
    }
    let gemini = "/v1beta/models/gemini-2.5-flash:embedContent";
    assert_eq!(rewritten(gemini, r#"{"model":"models/gemini-2.5-flash"}"#, "g", false), r#"{"model":"models/g"}"#);
    assert_eq!(rewritten(gemini, r#"{"content":{}}"#, "g", false), r#"{"content":{}}"#);
    // A name that JSON has to escape cannot break out of its string.
    assert_eq!(rewritten("/v1/responses", r#"{"model":"gpt-4o"}"#, "a\"b", false), r#"{"model":"a\"b"}"#);
}

#[test]
fn a_stream_is_asked_to_count() {
    for (body, expected) in [
        (r#"{"model":"gpt-4o"}"#, r#"{"stream_options":{"include_usage":true},"model":"gpt-4o"}"#),
        (
            r#"{"stream_options":null,"model":"gpt-4o"}"#,
            r#"{"stream_options":{"include_usage":true},"model":"gpt-4o"}"#,
        ),
        (
            r#"{"stream_options":{ },"model":"gpt-4o"}"#,
            r#"{"stream_options":{"include_usage":true },"model":"gpt-4o"}"#,
        ),
        (
            r#"{"model":"gpt-4o","stream_options":{"include_obfuscation":false}}"#,
            r#"{"model":"gpt-4o","stream_options":{"include_usage":true,"include_obfuscation":false}}"#,
        ),
        (
            r#"{"model":"gpt-4o","stream_options":{"include_usage":false,"x":1}}"#,
            r#"{"model":"gpt-4o","stream_options":{"include_usage":true,"x":1}}"#,
        ),
        (
            r#"{"model":"gpt-4o","stream_options":{"include_usage":true}}"#,
            r#"{"model":"gpt-4o","stream_options":{"include_usage":true}}"#,
        ),
    ] {
        let seen = rewritten("/v1/chat/completions", body, "gpt-4o", true);
        assert_eq!(seen, expected);
        assert!(serde_json::from_str::<serde_json::Value>(&seen).is_ok());
    }
    let azure = "/openai/deployments/gpt-4o/chat/completions";
    assert_eq!(rewritten(azure, "{ }", "gpt-4o", true), r#"{"stream_options":{"include_usage":true} }"#);
}

#[test]
fn a_forms_field_is_replaced() {
    let form = "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nopenai/gpt-4o\r\n--B--\r\n";
    let parts = parts("POST", "/v1/audio/translations", &[("content-type", "multipart/form-data; boundary=B")]);
    let asked = read(&parts, form.as_bytes()).unwrap();
    let seen = asked.body_for(&Bytes::from_static(form.as_bytes()), "gpt-4o", true);
    assert_eq!(seen, form.replace("openai/gpt-4o", "gpt-4o"));
}
