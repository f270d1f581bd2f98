//! A model that is named in two places is the same in both: in the path, the query, the body, a form.

use crate::asking::{parts, post, read};
use cedargate_http::reply::{Invalid, Refusal};

fn model(uri: &str, body: &str) -> Result<String, Refusal> {
    post(uri, body).map(|asked| asked.model().unwrap().to_string())
}

const CONFLICT: Refusal = Refusal::RequestInvalid(Invalid::ModelConflict);

#[test]
fn a_query_names_no_other_model() {
    let body = r#"{"model":"gpt-4o"}"#;
    for query in [
        "model=o1",
        "Model=o1",
        "%6dodel=o1",
        "m%4Fdel=o1",
        "engine=o1",
        "deployment=o1",
        "deployment_id=o1",
        "deployment-id=o1",
        "model_id=o1",
        "a=b&model=o1",
        "a=b;model=o1",
        "model=gpt-4o&model=o1",
        "model[]=o1",
        "model[0]=o1",
        "model.id=o1",
        "model=gpt-4O",
        "+model=o1",
    ] {
        assert_eq!(model(&format!("/v1/chat/completions?{query}"), body), Err(CONFLICT), "{query}");
    }
    for query in ["model=gpt-4o", "model=gpt%2D4o", "beta=true", "", "api-version=2024-10-21", "remodel=o1"] {
        assert_eq!(model(&format!("/v1/chat/completions?{query}"), body), Ok("gpt-4o".to_owned()), "{query}");
    }
    for query in ["model", "model=", "model=%20", "model=*"] {
        assert!(model(&format!("/v1/chat/completions?{query}"), body).is_err(), "{query}");
    }
}

#[test]
fn a_query_alone_names_no_model() {
    let missing = Err(Refusal::RequestInvalid(Invalid::ModelMissing));
    assert_eq!(model("/v1/chat/completions?model=gpt-4o", "{}"), missing);
    let list = read(&parts("GET", "/v1/models?model=gpt-4o", &[]), b"");
    assert_eq!(list, Err(Refusal::RequestInvalid(Invalid::Query)));
}

#[test]
fn a_query_chooses_no_provider() {
    for query in [
        "provider=azure",
        "Provider=azure",
        "%70rovider=azure",
        "models=o1",
        "fallbacks=o1",
        "api_base=x",
        "base-url=x",
        "apiBase=x",
        "userProject=x",
        "$userProject=x",
        "%24userProject=x",
        "quotaUser=x",
        "service_tier=priority",
        "organization=x",
        "project=x",
        "extra_body[models]=x",
    ] {
        let refused = Err(Refusal::RequestInvalid(Invalid::Query));
        assert_eq!(model(&format!("/v1/chat/completions?{query}"), r#"{"model":"gpt-4o"}"#), refused, "{query}");
    }
}

#[test]
fn a_query_is_encoded_once_and_well() {
    for query in ["%zz=1", "a=1&%2=1", "%256dodel=o1", "m%00odel=o1", "%ff=1"] {
        let refused = Err(Refusal::RequestInvalid(Invalid::Encoding));
        assert_eq!(model(&format!("/v1/chat/completions?{query}"), r#"{"model":"gpt-4o"}"#), refused, "{query}");
    }
    let long = format!("/v1/chat/completions?a={}", "x".repeat(4_096));
    assert_eq!(model(&long, r#"{"model":"gpt-4o"}"#), Err(Refusal::RequestInvalid(Invalid::QueryTooLong)));
}

#[test]
fn a_body_names_the_model_of_its_path() {
    let azure = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";
    assert_eq!(model(azure, r#"{"messages":[]}"#), Ok("gpt-4o".to_owned()));
    assert_eq!(model(azure, r#"{"model":"gpt-4o"}"#), Ok("gpt-4o".to_owned()));
    assert_eq!(model(azure, r#"{"model":"o1"}"#), Err(CONFLICT));
    assert_eq!(model(azure, r#"{"model":"GPT-4o"}"#), Err(CONFLICT));
    assert_eq!(model(&format!("{azure}&model=o1"), "{}"), Err(CONFLICT));

    let gemini = "/v1beta/models/gemini-2.5-flash:embedContent";
    for body in ["{}", r#"{"model":"gemini-2.5-flash"}"#, r#"{"model":"models/gemini-2.5-flash"}"#] {
        assert_eq!(model(gemini, body), Ok("gemini-2.5-flash".to_owned()), "{body}");
    }
    for body in [r#"{"model":"models/gemini-pro"}"#, r#"{"model":"models/models/gemini-2.5-flash"}"#] {
        assert_eq!(model(gemini, body), Err(CONFLICT), "{body}");
    }
    let count = "/v1beta/models/gemini-2.5-flash:countTokens";
    for key in ["generateContentRequest", "generate_content_request"] {
        assert_eq!(model(count, &format!(r#"{{"{key}":{{"model":"models/gemini-pro"}}}}"#)), Err(CONFLICT));
        assert!(model(count, &format!(r#"{{"{key}":{{"model":"models/gemini-2.5-flash"}}}}"#)).is_ok());
    }
    let both = r#"{"generateContentRequest":{},"generate_content_request":{}}"#;
    assert_eq!(model(count, both), Err(Refusal::RequestInvalid(Invalid::KeyRepeated)));
    // `models/` is Gemini's way of writing alone.
    assert_eq!(model("/v1/chat/completions", r#"{"model":"models/x"}"#), Ok("models/x".to_owned()));
}

#[test]
fn a_team_is_claimed_once() {
    let claim = |headers: &[(&str, &str)]| read(&parts("GET", "/v1/models", headers), b"");
    assert_eq!(claim(&[("x-cedargate-team", "frontend")]).unwrap().team(), Some("frontend"));
    assert_eq!(claim(&[]).unwrap().team(), None);
    for headers in [
        &[("x-cedargate-team", "frontend"), ("x-cedargate-team", "frontend")][..],
        &[("x-cedargate-team", "")],
        &[("x-cedargate-team", "a\tb")],
        &[("x-cedargate-team", "frontend"), ("connection", "x-cedargate-team")],
    ] {
        assert_eq!(claim(headers), Err(Refusal::RequestInvalid(Invalid::Header)), "{headers:?}");
    }
}
