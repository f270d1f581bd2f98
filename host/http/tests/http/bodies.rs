//! A body has one reading, or is refused.

use crate::asking::{parts, post, read};
use cedargate_http::catalogue::{ModelIdError, ModelTable, Unlisted};
use cedargate_http::extract::{DEPTH_MAX, Envelope, KEYS_MAX, Limits, ROUTING_FIELDS};
use cedargate_http::reply::{Invalid, Refusal};

const CHAT: &str = "/v1/chat/completions";

fn chat(body: &str) -> Result<String, Refusal> {
    post(CHAT, body).map(|asked| asked.model().unwrap().to_string())
}

fn invalid(body: &str) -> Invalid {
    match chat(body) {
        Err(Refusal::RequestInvalid(invalid)) => invalid,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn the_model_is_read_wherever_it_stands() {
    for body in [
        r#"{"model":"gpt-4o"}"#,
        r#" { "model" : "gpt-4o" , "messages" : [] } "#,
        r#"{"messages":[{"role":"user","content":"{\"model\":\"o1\"}"}],"model":"gpt-4o"}"#,
        r#"{"metadata":{"model":"o1","Model":"o2"},"model":"gpt-4o"}"#,
        "{\"model\":\"gpt\\u002d4o\"}",
    ] {
        assert_eq!(chat(body), Ok("gpt-4o".to_owned()), "{body}");
    }
    assert_eq!(chat(r#"{"model":"openai\/gpt-4o"}"#), Ok("openai/gpt-4o".to_owned()));
}

#[test]
fn a_key_that_stands_twice_is_ambiguous() {
    for body in [
        r#"{"model":"gpt-4o","model":"o1"}"#,
        r#"{"model":"gpt-4o","model":"gpt-4o"}"#,
        r#"{"model":"gpt-4o","Model":"o1"}"#,
        r#"{"model":"gpt-4o","MODEL":"o1"}"#,
        r#"{"model":"gpt-4o","mod\u0065l":"o1"}"#,
        r#"{"model":"gpt-4o","\u004dodel":"o1"}"#,
        r#"{"model":"gpt-4o","user":"a","user":"b"}"#,
        r#"{"model":"gpt-4o","user":"a","User":"b"}"#,
        r#"{"model":"gpt-4o","user":"a","u\u0073er":"b"}"#,
        "{\"model\":\"gpt-4o\",\"user\":\"a\",\"u\u{17f}er\":\"b\"}",
        "{\"model\":\"gpt-4o\",\"top_k\":1,\"top_\u{212a}\":2}",
        r#"{"model":"gpt-4o","stream_options":{"include_usage":true,"include_usage":false}}"#,
    ] {
        assert_eq!(invalid(body), Invalid::KeyRepeated, "{body}");
    }
}

#[test]
fn a_key_that_matters_is_written_plainly() {
    for body in [
        r#"{"Model":"gpt-4o"}"#,
        r#"{"mod\u0065l":"gpt-4o"}"#,
        r#"{"model":"gpt-4o","Stream":true}"#,
        "{\"model\":\"gpt-4o\",\"\u{17f}tream\":true}",
        r#"{"model":"gpt-4o","MAX_TOKENS":1}"#,
        r#"{"model":"gpt-4o","N":9}"#,
        r#"{"model":"gpt-4o","model\u0000":"o1"}"#,
        r#"{"model":"gpt-4o","model\n":"o1"}"#,
        r#"{"model":"gpt-4o"," model":"o1"}"#,
        r#"{"model":"gpt-4o","model ":"o1"}"#,
        r#"{"model":"gpt-4o","$model":"o1"}"#,
        "{\"model\":\"gpt-4o\",\"mod\u{200b}el\":\"o1\"}",
        "{\"model\":\"gpt-4o\",\"\u{feff}model\":\"o1\"}",
        "{\"model\":\"gpt-4o\",\"model\u{7f}\":\"o1\"}",
    ] {
        assert_eq!(invalid(body), Invalid::KeyDisguised, "{body}");
    }
}

#[test]
fn a_key_that_could_lead_to_another_model_is_refused() {
    for key in ROUTING_FIELDS {
        for written in [key.to_owned(), key.to_uppercase(), key.replace('_', "-"), key.replace('_', "")] {
            let body = format!(r#"{{"model":"gpt-4o","{written}":["o1"]}}"#);
            assert_eq!(invalid(&body), Invalid::KeyReroutes(key), "{written}");
        }
    }
    for (written, key) in [
        ("apiBase", "api_base"),
        ("extraBody", "extra_body"),
        ("s\\u0065rvice_tier", "service_tier"),
        ("\u{17f}ervice_tier", "service_tier"),
    ] {
        for value in ["null", "{\"model\":\"o1\"}", "\"priority\""] {
            let body = format!(r#"{{"{written}":{value},"model":"gpt-4o"}}"#);
            assert_eq!(invalid(&body), Invalid::KeyReroutes(key), "{body}");
        }
    }
    // What nobody names is the provider's to read.
    for key in ["metadata", "reasoning_effort", "store", "user", "prompt_cache_key", "safety_identifier", "thinking"] {
        assert!(chat(&format!(r#"{{"model":"gpt-4o","{key}":{{"extra_body":1}}}}"#)).is_ok(), "{key}");
    }
}

#[test]
fn a_field_that_could_lead_elsewhere_is_taken_where_every_provider_is_said_to() {
    let mut builder = ModelTable::builder();
    builder.provider("openai", Unlisted::Admitted).model("openai", "gpt-4o");
    builder.provider("azure", Unlisted::Refused).model("azure", "gpt-4o").model("azure", "o1");
    builder.field("openai", "service_tier").field("azure", "organization");
    let table = builder.build().unwrap();
    let read = |model: &str, field: &str| {
        let body = format!(r#"{{"model":"{model}","{field}":"x"}}"#);
        let envelope =
            Envelope::open(&parts("POST", CHAT, &[("content-type", "application/json")]), &Limits::default());
        envelope.unwrap().read(body.as_bytes(), &table).map(|_| ())
    };
    assert_eq!(read("openai/gpt-4o", "service_tier"), Ok(()));
    assert_eq!(read("openai/anything", "serviceTier"), Ok(()));
    for (model, field) in [
        ("gpt-4o", "service_tier"),
        ("azure/o1", "service_tier"),
        ("openai/gpt-4o", "organization"),
        ("none/x", "project"),
    ] {
        let refused = read(model, field);
        assert!(matches!(refused, Err(Refusal::RequestInvalid(Invalid::KeyReroutes(_)))), "{model} {field}");
    }
    assert!(builder.field("openai", "temperature").build().is_err());
}

#[test]
fn a_tool_calls_no_other_model() {
    let with_tool = |tool: &str| format!(r#"{{"model":"gpt-4o","tools":[{{"type":"function"}},{tool}]}}"#);
    assert_eq!(invalid(&with_tool(r#"{"type":"image_generation","model":"gpt-image-1"}"#)), Invalid::ModelConflict);
    assert_eq!(invalid(&with_tool(r#"{"type":"image_generation","Model":"gpt-image-1"}"#)), Invalid::ModelConflict);
    assert_eq!(invalid(&with_tool(r#"{"type":"image_generation","model":7}"#)), Invalid::Field("model"));
    for name in ["model ", " model", "model\\u0000", "mod\u{200b}el", "\u{feff}model"] {
        let body = with_tool(&format!(r#"{{"type":"image_generation","{name}":"gpt-image-1"}}"#));
        assert!(chat(&body).is_err(), "{body}");
    }
    for tool in [
        r#"{"type":"x","model":"gpt-4o"}"#,
        r#"{"type":"function","parameters":{"properties":{"model":{"type":"string"}}}}"#,
        r#"{"type":"image_generation"}"#,
    ] {
        assert!(chat(&with_tool(tool)).is_ok(), "{tool}");
    }
    assert!(chat(r#"{"model":"gpt-4o","tools":null}"#).is_ok());
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for body in [
        "[]",
        "null",
        "\"model\"",
        "7",
        "{",
        "}",
        "{\"model\"}",
        "{\"model\":}",
        "{\"model\":\"gpt-4o\",}",
        "{'model':'gpt-4o'}",
        "{\"model\":\"gpt-4o\"}{}",
        "{\"model\":\"gpt-4o\"} x",
        "{\"model\":\"gpt-4o\"}\0",
        "{\"model\":\"gpt-4o\"}\u{feff}",
        "{\"model\":\"gpt-4o\"}\n{\"model\":\"o1\"}",
        "\0{\"model\":\"gpt-4o\"}",
        "\u{b}{\"model\":\"gpt-4o\"}",
        "{\"model\":\"gpt-4o\",\"a\":+1}",
        "{\"model\":\"gpt-4o\",\"a\":.5}",
        "{\"model\":\"gpt-4o\",\"a\":0x10}",
        "{\"model\":\"gpt-4o\",\"a\":1_000}",
        "{\"model\":\"gpt-4o\",\"a\":Infinity}",
        "{\"model\":\"gpt-4o\",\"a\":\"\\x41\"}",
        "{\"model\":\"gpt-4o\",\"a\":\"\0\"}",
        "{model:\"gpt-4o\"}",
        "{\"model\":\"gpt-4o\",,\"a\":1}",
        "{\"model\":\"gpt-4o\" \"a\":1}",
        "// c\n{\"model\":\"gpt-4o\"}",
        "\u{feff}{\"model\":\"gpt-4o\"}",
        "model=gpt-4o",
        " ",
        "{\"model\":\"gpt-4o\",\"a\":1e999}",
        "{\"model\":\"gpt-4o\",\"a\":\"\\ud800\"}",
        "{\"model\":\"gpt-4o\",\"a\":\"\n\"}",
        "{\"model\":\"gpt-4o\",\"a\":NaN}",
        "{\"model\":\"gpt-4o\"/**/}",
        "{\"model\":\"gpt-4o\",\"\\ud800\":1}",
        "{\"model\":\"\\ud800\"}",
        "{\"model\":\"gpt-4o\",\"a\":[1,]}",
        "{\"model\":\"gpt-4o\",\"a\":01}",
    ] {
        assert_eq!(invalid(body), Invalid::NotAnObject, "{body}");
    }
    assert_eq!(invalid(""), Invalid::BodyEmpty);
}

#[test]
fn a_field_has_its_type() {
    for (field, name) in [
        (r#""model":null"#, "model"),
        (r#""model":7"#, "model"),
        (r#""model":["gpt-4o"]"#, "model"),
        (r#""model":{"id":"gpt-4o"}"#, "model"),
        (r#""model":true"#, "model"),
        (r#""model":"gpt-4o","stream":"true""#, "stream"),
        (r#""model":"gpt-4o","stream":1"#, "stream"),
        (r#""model":"gpt-4o","stream_options":[]"#, "stream_options"),
        (r#""model":"gpt-4o","stream_options":{"include_usage":1}"#, "stream_options"),
        (r#""model":"gpt-4o","max_tokens":-1"#, "max_tokens"),
        (r#""model":"gpt-4o","max_tokens":1.5"#, "max_tokens"),
        (r#""model":"gpt-4o","max_tokens":1e3"#, "max_tokens"),
        (r#""model":"gpt-4o","max_tokens":"10""#, "max_tokens"),
        (r#""model":"gpt-4o","max_completion_tokens":9007199254740993"#, "max_completion_tokens"),
        (r#""model":"gpt-4o","n":true"#, "n"),
    ] {
        assert_eq!(invalid(&format!("{{{field}}}")), Invalid::Field(name), "{field}");
    }
    assert_eq!(invalid(r#"{"messages":[]}"#), Invalid::ModelMissing);
    assert_eq!(invalid("{}"), Invalid::ModelMissing);
}

#[test]
fn an_id_that_could_be_read_as_another_is_refused() {
    for (id, cause) in [
        ("", ModelIdError::Empty),
        (" gpt-4o", ModelIdError::Character),
        ("gpt-4o ", ModelIdError::Character),
        ("gpt 4o", ModelIdError::Character),
        ("gpt-4o\\n", ModelIdError::Character),
        ("gpt-4o\\u0000", ModelIdError::Character),
        ("gpt\u{a0}4o", ModelIdError::Character),
        ("gpt-4o\u{200b}", ModelIdError::Character),
        ("gpt-\u{ff14}o", ModelIdError::Character),
        ("*", ModelIdError::Mark),
        ("openai/*", ModelIdError::Mark),
        ("gpt-4o%00", ModelIdError::Mark),
        ("a\\\\b", ModelIdError::Mark),
        ("..", ModelIdError::Parts),
        ("openai/../azure/gpt-4o", ModelIdError::Parts),
        ("openai/./gpt-4o", ModelIdError::Parts),
        ("openai//gpt-4o", ModelIdError::Parts),
        ("/gpt-4o", ModelIdError::Parts),
        ("openai/", ModelIdError::Parts),
    ] {
        assert_eq!(invalid(&format!("{{\"model\":\"{id}\"}}")), Invalid::ModelId(cause), "{id}");
    }
    assert_eq!(invalid(&format!("{{\"model\":\"{}\"}}", "a".repeat(257))), Invalid::ModelId(ModelIdError::Long));
    assert!(chat(&format!("{{\"model\":\"{}\"}}", "a".repeat(256))).is_ok());
}

#[test]
fn depth_is_bounded_and_costs_no_stack() {
    let nested = |levels: usize| format!("{{\"model\":\"gpt-4o\",\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(chat(&nested(DEPTH_MAX - 1)).is_ok());
    assert_eq!(invalid(&nested(DEPTH_MAX)), Invalid::TooDeep);
    assert_eq!(invalid(&nested(1_000_000)), Invalid::TooDeep);
    for open in ["{\"a\":", "[", "{\"model\":"] {
        assert_eq!(
            invalid(&format!("{{\"model\":\"gpt-4o\",\"a\":{}", open.repeat(100_000))),
            Invalid::TooDeep,
            "{open}"
        );
    }
    for key in ["tools", "stream_options", "model", "stream", "max_tokens", "n"] {
        let deep = format!("{{\"{key}\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(chat(&deep).is_err(), "{key}");
        let deep = format!("{{\"{key}\":{}1{}}}", "{\"model\":".repeat(100_000), "}".repeat(100_000));
        assert!(chat(&deep).is_err(), "{key}");
    }
}

#[test]
fn keys_are_bounded() {
    let keys = |count: usize| (0..count).map(|at| format!(",\"k{at}\":1")).collect::<String>();
    assert!(chat(&format!("{{\"model\":\"gpt-4o\"{}}}", keys(KEYS_MAX - 1))).is_ok());
    assert_eq!(invalid(&format!("{{\"model\":\"gpt-4o\"{}}}", keys(KEYS_MAX))), Invalid::TooManyKeys);
}

#[test]
fn only_plain_json_in_utf8_is_read() {
    let body = br#"{"model":"gpt-4o"}"#;
    let with = |headers: &[(&str, &str)]| read(&parts("POST", CHAT, headers), body).map(|_| ());
    for content_type in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json;",
    ] {
        assert_eq!(with(&[("content-type", content_type)]), Ok(()), "{content_type}");
    }
    assert_eq!(with(&[("content-type", "application/json"), ("content-encoding", "identity")]), Ok(()));
    for headers in [
        &[][..],
        &[("content-type", "")],
        &[("content-type", "text/plain")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "application/json; charset=utf-16")],
        &[("content-type", "application/json; charset=utf-8; charset=utf-16")],
        &[("content-type", "application/json, text/plain")],
        &[("content-type", "application/jsonl")],
        &[("content-type", "multipart/form-data; boundary=x")],
        &[("content-type", "application/json"), ("content-encoding", "gzip")],
        &[("content-type", "application/json"), ("content-encoding", "identity, gzip")],
        &[("content-type", "application/json"), ("content-encoding", "")],
    ] {
        assert_eq!(with(headers), Err(Refusal::MediaTypeUnsupported), "{headers:?}");
    }
    for headers in [
        &[("content-type", "application/json"), ("content-type", "application/json")][..],
        &[("content-type", "application/json"), ("content-encoding", "identity"), ("content-encoding", "gzip")],
        &[("content-type", "application/json"), ("connection", "content-type")],
        &[("content-type", "application/json"), ("connection", "close, Content-Encoding")],
        &[("content-type", "application/json"), ("connection", "authorization")],
        &[("content-type", "application/json"), ("content-length", "x")],
    ] {
        assert_eq!(with(headers), Err(Refusal::RequestInvalid(Invalid::Header)), "{headers:?}");
    }
    let json = parts("POST", CHAT, &[("content-type", "application/json")]);
    for body in [
        &b"{\"model\":\"gpt-4o\xff\"}"[..],
        b"\xff\xfe{\0}\0",
        b"\x1f\x8b\x08",
        b"{\"model\":\"gpt-4o\",\"a\":\"\xc0\xaf\"}",
    ] {
        assert_eq!(read(&json, body), Err(Refusal::MediaTypeUnsupported), "{body:?}");
    }
}

#[test]
fn a_body_is_no_larger_than_its_limit() {
    let limits = Limits { json_bytes: 20, ..Limits::default() };
    let parts_of =
        |length: &str| parts("POST", CHAT, &[("content-type", "application/json"), ("content-length", length)]);
    assert_eq!(Envelope::open(&parts_of("21"), &limits).map(|_| ()), Err(Refusal::BodyTooLarge));
    let envelope = Envelope::open(&parts_of("20"), &limits).unwrap();
    assert_eq!(envelope.body_bytes_max(), 20);
    assert_eq!(envelope.read(&[b' '; 21], &crate::asking::catalogue()), Err(Refusal::BodyTooLarge));
}

#[test]
fn what_takes_no_body_gets_none() {
    assert!(read(&parts("GET", "/v1/models", &[]), b"").is_ok());
    let unexpected = Err(Refusal::RequestInvalid(Invalid::BodyUnexpected));
    assert_eq!(read(&parts("GET", "/v1/models", &[]), b"{}"), unexpected);
    assert_eq!(read(&parts("GET", "/v1/models", &[("content-length", "2")]), b""), unexpected);
    assert!(read(&parts("GET", "/v1/models", &[("content-length", "0")]), b"").is_ok());
}

#[test]
fn settings_of_an_answer_are_read() {
    let asked = post(
        CHAT,
        r#"{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":false},"max_tokens":5,"max_completion_tokens":9,"n":3}"#,
    )
    .unwrap();
    assert_eq!((asked.stream(), asked.include_usage()), (true, Some(false)));
    assert_eq!((asked.output_tokens_max(), asked.choices()), (Some(9), 3));
    let asked =
        post(CHAT, r#"{"model":"gpt-4o","stream":null,"stream_options":null,"max_tokens":null,"n":null}"#).unwrap();
    assert_eq!((asked.stream(), asked.include_usage()), (false, None));
    assert_eq!((asked.output_tokens_max(), asked.choices()), (None, 1));
    let asked = post("/v1/responses", r#"{"model":"gpt-4o","max_output_tokens":7}"#).unwrap();
    assert_eq!(asked.output_tokens_max(), Some(7));
    let asked = post(
        "/v1beta/models/gemini-2.5-flash:generateContent",
        r#"{"contents":[],"generationConfig":{"maxOutputTokens":8,"candidateCount":2}}"#,
    )
    .unwrap();
    assert_eq!((asked.output_tokens_max(), asked.choices(), asked.stream()), (Some(8), 2, false));
}
