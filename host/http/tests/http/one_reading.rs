//! Whatever is accepted has one reading: another, lenient reader of the same bytes sees the same model.

use crate::asking::{catalogue, parts, read};
use cedargate_http::catalogue::{Catalogue, ModelId, Resolution};
use cedargate_http::credential::present;
use cedargate_http::hygiene::strip;
use cedargate_http::reply::{Caller, RequestId, reply};
use cedargate_http::route::{Endpoint, Route};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

/// Texts that stand where a model's id may: known ones, their neighbours, and traps.
fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "gpt-4o", "openai/gpt-4o", "GPT-4o", "o1", "bedrock/x", "bedrockz/x", "openai/../x", "a b", "*", "", "fast", "openai\\/gpt-4o",
            "gpt\\u002d4o", "models/gemini-2.5-flash", "gemini-2.5-flash", "\\ud800", "gpt-4o\\u0000",
        ]).prop_map(str::to_owned),
        1 => "[ -~]{0,12}",
        1 => any::<String>(),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec![
            "model", "Model", "MODEL", "mod\\u0065l", "\\u006dodel", "stream", "Stream", "max_tokens", "n", "user", "User", "messages", "tools",
            "models", "provider", "stream_options", "generationConfig", "generation_config", "\u{17f}tream", "a", "b", "c",
        ]).prop_map(str::to_owned),
        1 => "[a-z_]{0,8}",
    ]
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => id().prop_map(|id| format!("\"{id}\"")),
        2 => prop::sample::select(vec!["true", "false", "null", "1", "-1", "1.5", "1e999", "1e3", "{}", "[]", "", "nul", "01"]).prop_map(str::to_owned),
        1 => "[ -~]{0,8}",
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|values| format!("[{}]", values.join(","))),
            vec((key(), inner), 0..3).prop_map(|fields| object(&fields)),
        ]
    })
}

fn object(fields: &[(String, String)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

/// Bodies that are nearly right, most of them with a model.
fn body() -> impl Strategy<Value = String> {
    let model = id().prop_map(|id| ("model".to_owned(), format!("\"{id}\"")));
    let fields = (prop::option::weighted(0.9, model), vec((key(), value()), 0..4), any::<prop::sample::Index>());
    fields.prop_map(|(model, mut fields, at)| {
        if let Some(model) = model {
            fields.insert(at.index(fields.len() + 1), model);
        }
        object(&fields)
    })
}

const URIS: [&str; 8] = [
    "/v1/chat/completions",
    "/v1/chat/completions?model=gpt-4o",
    "/v1/messages?beta=true",
    "/v1/responses",
    "/openai/deployments/gpt-4o/chat/completions",
    "/openai/deployments/openai%2Fgpt-4o/embeddings",
    "/v1beta/models/gemini-2.5-flash:generateContent",
    "/v1beta/models/gemini-2.5-flash:countTokens",
];

/// Every string that stands under a key which some reader takes for `model`, at the top of the body.
fn models_by_any_reader(value: &Value) -> Vec<String> {
    let fields = value.as_object().unwrap();
    let named = fields.iter().filter(|(key, _)| key.eq_ignore_ascii_case("model"));
    named.map(|(_, value)| value.as_str().unwrap().to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn another_reader_sees_the_same_model(uri in prop::sample::select(URIS.to_vec()), body in body()) {
        let Ok(asked) = read(&parts("POST", uri, &[("content-type", "application/json")]), body.as_bytes()) else { return Ok(()) };
        let model = asked.model().unwrap().as_str();
        let value: Value = serde_json::from_str(&body).unwrap();
        let seen = models_by_any_reader(&value);
        prop_assert!(seen.len() <= 1, "{body}");
        for other in seen {
            prop_assert!(other == model || other.strip_prefix("models/") == Some(model), "{body}: {model}");
        }
        let streamed = value.get("stream").and_then(Value::as_bool).unwrap_or_default();
        let by_path = asked.endpoint() == Endpoint::StreamGenerateContent;
        let gemini = uri.starts_with("/v1beta/");
        prop_assert!(gemini || asked.stream() == (streamed || by_path));
        // What is sent on reads as the same body with another model.
        let sent = asked.body_for(&body.clone().into_bytes().into(), "upstream-name", false);
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        prop_assert!(models_by_any_reader(&sent).iter().all(|model| model.ends_with("upstream-name")));
        prop_assert_eq!(sent.as_object().unwrap().len(), value.as_object().unwrap().len());
    }

    #[test]
    fn a_repeated_key_is_never_accepted(fields in vec((key(), value()), 0..4), twice in key(), first in value(), second in value()) {
        let mut all = vec![("model".to_owned(), "\"gpt-4o\"".to_owned()), (twice.clone(), first), (twice, second)];
        all.extend(fields);
        let seen = read(&parts("POST", URIS[0], &[("content-type", "application/json")]), object(&all).as_bytes());
        prop_assert!(seen.is_err());
    }

    #[test]
    fn no_body_panics(body in vec(any::<u8>(), 0..200), form in any::<bool>()) {
        let (uri, kind) = if form { ("/v1/images/edits", "multipart/form-data; boundary=B") } else { (URIS[0], "application/json") };
        let _ = read(&parts("POST", uri, &[("content-type", kind)]), &body);
    }

    #[test]
    fn no_form_panics(pieces in vec(prop::sample::select(vec![
        "--B", "\r\n", "--", "Content-Disposition: form-data; name=\"", "model", "\"", "\r\n\r\n", "gpt-4o", "--B--", "; filename=\"x\"", "n", ":", " ",
    ]), 0..24)) {
        let body = pieces.concat();
        let parts = parts("POST", "/v1/images/edits", &[("content-type", "multipart/form-data; boundary=B")]);
        if let Ok(asked) = read(&parts, body.as_bytes()) {
            prop_assert_eq!(body.matches("name=\"model\"").count(), 1);
            prop_assert!(body.contains(asked.model().unwrap().as_str()));
        }
    }

    #[test]
    fn no_path_panics_and_every_route_has_a_plain_one(path in "(/|/v1|/v1beta|/openai|/models|/deployments|/chat|/completions|%2[eEfF]|\\.|:generateContent|[ -~]){0,12}") {
        let Ok(route) = Route::of(&Method::POST, &path, &HeaderMap::new()) else { return Ok(()) };
        prop_assert!(!path.contains("//") && !path.contains("/./") && !path.contains("/../"), "{path}");
        if let Some(model) = route.model() {
            prop_assert!(!model.as_str().contains("..") && !model.as_str().contains('%'));
        }
    }

    #[test]
    fn no_headers_and_no_query_panic(
        query in "[ -~&&[^# <>\"`{}|\\\\^]]{0,40}",
        headers in vec((prop::sample::select(vec![
            "authorization", "x-api-key", "connection", "content-type", "content-encoding", "content-length", "x-cedargate-team", "x-forwarded-for",
            "x_api_key", "anthropic-version",
        ]), vec(prop_oneof![Just(b','), Just(b' '), 0x20_u8..0x7f, 0x80_u8..], 0..20)), 0..6),
    ) {
        let Ok(uri) = format!("/v1/models?{query}").parse::<http::Uri>() else { return Ok(()) };
        let mut request = Request::get(uri).body(()).unwrap();
        for (name, value) in headers {
            let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        let mut parts = request.into_parts().0;
        let caller = Caller::of(&parts, RequestId::fresh());
        if let Err(refusal) = present(&parts) {
            prop_assert_eq!(reply(&refusal.into(), &caller).status(), 401);
        }
        let _ = read(&parts, b"");
        strip(&mut parts.headers, "secret");
        prop_assert!(!parts.headers.contains_key("authorization") && !parts.headers.contains_key("x_api_key"));
    }

    #[test]
    fn an_id_stands_for_nothing_that_it_does_not_name(text in id()) {
        let Ok(id) = ModelId::new(&text) else { return Ok(()) };
        if let Resolution::Candidates(candidates) = catalogue().resolve(&id) {
            for candidate in candidates.iter() {
                let qualified = format!("{}/{}", candidate.provider, candidate.model);
                prop_assert!(text == "fast" || text == qualified || text == *candidate.model);
            }
        }
    }
}
