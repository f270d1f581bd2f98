//! What the policies say of what was read: the same component decides what is admitted, hidden and listed.

use crate::asking::{catalogue, parts, post, read};
use crate::deciding::{PDP, of_models, token};
use cedargate::Principal;
use cedargate::model::{Counter, Timestamp};
use cedargate_http::admit::{Admission, admit};
use cedargate_http::discovery::visible;
use cedargate_http::extract::Asked;
use cedargate_http::facts::{Counters, Facts};
use cedargate_http::models::{Shown, list, one};
use cedargate_http::reply::{Caller, Refusal, Rejection, RequestId, reply};
use cedargate_http::route::Dialect;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_777_000_000_000);

fn ask(principal: &Principal, facts: &Facts, asked: &Asked) -> Result<Admission, Rejection> {
    admit(&PDP, principal, facts, asked, NOW)
}

/// Where a chat may go, or the status and the code of its denial.
fn chat(principal: &Principal, model: &str) -> Result<Vec<String>, (u16, String)> {
    let asked = post("/v1/chat/completions", &json!({"model": model}).to_string()).unwrap();
    match ask(principal, &Facts::default(), &asked) {
        Ok(admission) => Ok(admission
            .candidates()
            .map(|(candidate, _)| format!("{}/{}", candidate.provider, candidate.model))
            .collect()),
        Err(rejection) => Err((rejection.status(), rejection.code().to_owned())),
    }
}

fn denied(status: u16, code: &str) -> Result<Vec<String>, (u16, String)> {
    Err((status, code.to_owned()))
}

#[test]
fn routing_chooses_among_the_admitted_alone() {
    let anyone = token(|_| {});
    assert_eq!(chat(&anyone, "gpt-4o").unwrap(), ["openai/gpt-4o", "azure/gpt-4o"]);
    let azure = token(|profile| profile.bindings.providers = Some(vec!["azure".to_owned()]));
    assert_eq!(chat(&azure, "gpt-4o").unwrap(), ["azure/gpt-4o"]);
    assert_eq!(chat(&azure, "fast").unwrap(), ["azure/gpt-4o"]);
    assert_eq!(chat(&azure, "openai/gpt-4o"), denied(403, "provider_not_allowed"));
    let mini = of_models(&["gpt-4o-mini"]);
    assert_eq!(chat(&mini, "fast").unwrap(), ["openai/gpt-4o-mini"]);
    assert_eq!(chat(&mini, "gpt-4o"), denied(403, "model_not_allowed"));
}

#[test]
fn a_provider_is_not_a_prefix() {
    let bedrock = of_models(&["bedrock/*"]);
    assert_eq!(chat(&bedrock, "bedrock/x").unwrap(), ["bedrock/x"]);
    assert_eq!(chat(&bedrock, "bedrock/model-of-tomorrow").unwrap(), ["bedrock/model-of-tomorrow"]);
    for id in ["bedrockz/x", "bedroc/x", "Bedrock/x", "openai/bedrock/x", "x"] {
        assert_eq!(chat(&bedrock, id), denied(403, "model_not_allowed"), "{id}");
    }
}

#[test]
fn what_is_not_there_and_what_is_hidden_sound_alike() {
    let scoped = of_models(&["gpt-4o-mini"]);
    for id in ["gpt-4o", "GPT-4o", "o1", "openai/gpt-4o", "openai/GPT-4o-mini", "GPT-4o-mini", "bedrockz/x"] {
        assert_eq!(chat(&scoped, id), denied(403, "model_not_allowed"), "{id}");
    }
    let anyone = token(|_| {});
    for id in ["GPT-4o", "o1", "openai/GPT-4o", "azure/o1", "bedrockz/x", "group:small"] {
        assert_eq!(chat(&anyone, id), denied(404, "model_not_found"), "{id}");
    }
}

#[test]
fn a_model_in_the_path_is_no_way_around() {
    let mini = of_models(&["gpt-4o-mini"]);
    for uri in [
        "/openai/deployments/gpt-4o/chat/completions",
        "/openai/deployments/openai%2Fgpt-4o/chat/completions",
        "/openai/deployments/GPT-4o/chat/completions",
        "/v1beta/models/gemini-2.5-flash:generateContent",
        "/v1beta/models/google%2Fgemini-2.5-flash:streamGenerateContent",
    ] {
        let denial = ask(&mini, &Facts::default(), &post(uri, "{}").unwrap()).unwrap_err();
        assert_eq!((denial.status(), denial.code()), (403, "model_not_allowed"), "{uri}");
    }
    assert!(ask(&mini, &Facts::default(), &post("/openai/deployments/gpt-4o-mini/completions", "{}").unwrap()).is_ok());
}

#[test]
fn facts_are_the_hosts_own() {
    let bound = token(|profile| {
        profile.team_id = Some("frontend".to_owned());
        profile.bindings.gateway_id = Some("gw-east".to_owned());
        profile.bindings.consumer_group = Some("web".to_owned());
        profile.bindings.networks = Some(vec!["10.0.0.0/8".to_owned()]);
    });
    let fitting = Facts {
        gateway_id: Some("gw-east".into()),
        consumer_group: Some("web".into()),
        client_ip: Some("::ffff:10.0.0.7".parse().unwrap()),
        ..Facts::default()
    };
    let asked_of = |team: &str| {
        let headers =
            [("content-type", "application/json"), ("x-cedargate-team", team), ("x-cedargate-gateway-id", "gw-west")];
        read(&parts("POST", "/v1/messages", &headers), br#"{"model":"claude-sonnet-4-5"}"#).unwrap()
    };
    assert!(ask(&bound, &fitting, &asked_of("frontend")).is_ok());
    let code = |facts: &Facts, team: &str| ask(&bound, facts, &asked_of(team)).unwrap_err().code().to_owned();
    assert_eq!(code(&fitting, "backend"), "team_mismatch");
    assert_eq!(code(&Facts { gateway_id: None, ..fitting.clone() }, "frontend"), "gateway_mismatch");
    assert_eq!(
        code(&Facts { consumer_group: Some("batch".into()), ..fitting.clone() }, "frontend"),
        "consumer_group_mismatch"
    );
    assert_eq!(code(&Facts { client_ip: None, ..fitting.clone() }, "frontend"), "network_not_allowed");
}

#[test]
fn a_claimed_team_admits_nobody() {
    let headers = [("content-type", "application/json"), ("x-cedargate-team", "admin")];
    let claimed = read(&parts("POST", "/v1/messages", &headers), br#"{"model":"claude-sonnet-4-5"}"#).unwrap();
    let runtime = PDP.principal_json(
        r#"{"id":"t","purpose":"gateway_runtime","principal_type":"gateway_runtime","status":"active","bindings":{"gateway_id":"g"}}"#,
    );
    let facts = Facts { gateway_id: Some("g".into()), ..Facts::default() };
    let denial = ask(&runtime.unwrap(), &facts, &claimed).unwrap_err();
    assert_eq!((denial.status(), denial.code()), (403, "action_not_allowed"));
}

#[test]
fn quotas_are_told_as_clients_understand_them() {
    let asked = post("/v1/messages", r#"{"model":"claude-sonnet-4-5"}"#).unwrap();
    let answer = |counters: Counters, uri: &str| {
        let facts = Facts { counters, ..Facts::default() };
        let rejection = ask(&token(|_| {}), &facts, &asked).unwrap_err();
        let response = reply(&rejection, &Caller::of(&parts("POST", uri, &[]), RequestId::new("req_7").unwrap()));
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        (response.status().as_u16(), header("x-should-retry"), header("retry-after"), body)
    };
    let budget = || Counters { budget: Some(Counter::new(10, 10, 1)), ..Counters::default() };
    let reset = Timestamp::from_millis(NOW.as_millis() + 1_500);
    let rate = || Counters { rate: Some(Counter::new(10, 10, 1).resets_at(reset)), ..Counters::default() };
    let (status, should_retry, retry_after, body) = answer(budget(), "/v1/messages");
    assert_eq!((status, should_retry.as_deref(), retry_after), (429, Some("false"), None));
    assert_eq!(body["error"]["type"], json!("rate_limit_error"));
    let (status, should_retry, _, body) = answer(budget(), "/v1/chat/completions");
    assert_eq!((status, should_retry.as_deref()), (429, Some("false")));
    assert_eq!(
        (&body["error"]["type"], &body["error"]["code"]),
        (&json!("insufficient_quota"), &json!("insufficient_quota"))
    );
    let (status, should_retry, retry_after, body) = answer(rate(), "/v1/chat/completions");
    assert_eq!((status, should_retry.as_deref(), retry_after.as_deref()), (429, Some("true"), Some("2")));
    assert_eq!(body["error"]["code"], json!("rate_limited"));
}

#[test]
fn a_revoked_token_is_401_before_it_hears_anything_else() {
    let revoked = token(|profile| profile.status = "revoked".to_owned());
    for id in ["gpt-4o", "o1", "GPT-4o"] {
        assert_eq!(chat(&revoked, id), denied(401, "token_revoked"), "{id}");
    }
}

/// The whole answer to a request for one model.
fn read_model(principal: &Principal, id: &str, anthropic: bool) -> (u16, String) {
    let headers: &[(&str, &str)] = if anthropic { &[("anthropic-version", "2023-06-01")] } else { &[] };
    let parts = parts("GET", &format!("/v1/models/{id}"), headers);
    let caller = Caller::of(&parts, RequestId::new("req_7").unwrap());
    let asked = read(&parts, b"").unwrap();
    match ask(principal, &Facts::default(), &asked) {
        Ok(admission) => {
            let (candidate, _) = admission.candidates().next().unwrap();
            let catalogue = catalogue();
            let body = one(caller.dialect(), &Shown::asked(&catalogue, asked.model().unwrap(), &candidate.provider));
            (200, String::from_utf8(body.to_vec()).unwrap())
        }
        Err(rejection) => {
            let response = reply(&rejection, &caller);
            (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
        }
    }
}

#[test]
fn a_hidden_model_is_not_there_whichever_way_it_is_asked_for() {
    let mini = of_models(&["gpt-4o-mini"]);
    for anthropic in [false, true] {
        let (status, absent) = read_model(&mini, "never-heard-of", anthropic);
        assert_eq!(status, 404);
        for id in ["gpt-4o", "openai/gpt-4o", "claude-sonnet-4-5", "GPT-4o-mini", "openai%2Fgpt-4o"] {
            assert_eq!(read_model(&mini, id, anthropic), (404, absent.clone()), "{id}");
        }
        assert_eq!(read_model(&token(|_| {}), "never-heard-of", anthropic), (404, absent));
    }
    let (status, body) = read_model(&mini, "gpt-4o-mini", false);
    assert_eq!(
        (status, body.as_str()),
        (200, r#"{"id":"gpt-4o-mini","object":"model","created":0,"owned_by":"openai"}"#)
    );
    let (status, body) = read_model(&mini, "gpt-4o-mini", true);
    assert_eq!(status, 200);
    let expected =
        json!({"type":"model","id":"gpt-4o-mini","display_name":"gpt-4o-mini","created_at":"1970-01-01T00:00:00Z"});
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
}

#[test]
fn what_does_not_depend_on_the_model_is_said_as_it_is() {
    let elsewhere = token(|profile| profile.bindings.gateway_id = Some("gw-west".to_owned()));
    assert_eq!(read_model(&elsewhere, "gpt-4o", false).0, 403);
    assert_eq!(read_model(&elsewhere, "never-heard-of", false).0, 403);
    let revoked = token(|profile| profile.status = "revoked".to_owned());
    assert_eq!(read_model(&revoked, "gpt-4o", false).0, 401);
}

#[test]
fn a_list_holds_what_the_token_may_read_and_nothing_else() {
    let catalogue = catalogue();
    let shown = |principal: &Principal| -> Vec<(String, String)> {
        let shown = visible(&PDP, principal, &Facts::default(), None, &catalogue, NOW).unwrap();
        shown.into_iter().map(|model| (model.id.to_owned(), model.owned_by.to_owned())).collect()
    };
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(id, by)| ((*id).to_owned(), (*by).to_owned())).collect()
    };
    assert_eq!(shown(&token(|_| {})).len(), 7);
    assert_eq!(shown(&of_models(&["gpt-4o-mini"])), owned(&[("gpt-4o-mini", "openai"), ("fast", "openai")]));
    let azure = token(|profile| profile.bindings.providers = Some(vec!["azure".to_owned()]));
    assert_eq!(shown(&azure), owned(&[("gpt-4o", "azure"), ("fast", "azure")]));
    assert_eq!(shown(&of_models(&[])), []);
    // What is listed can be asked for, and what is not cannot.
    let mini = of_models(&["gpt-4o-mini"]);
    for entry in ["gpt-4o", "gpt-4o-mini", "fast", "claude-sonnet-4-5", "meta-llama/llama-3"] {
        let listed = shown(&mini).iter().any(|(id, _)| id == entry);
        assert_eq!(chat(&mini, entry).is_ok(), listed, "{entry}");
        assert_eq!(read_model(&mini, entry, false).0 == 200, listed, "{entry}");
    }
}

#[test]
fn a_list_is_decided_even_where_listing_costs() {
    // A rate that is used up is a matter of the listing itself, not of each model.
    let counters = Counters { rate: Some(Counter::new(1, 1, 1)), ..Counters::default() };
    let facts = Facts { counters, ..Facts::default() };
    let anyone = token(|_| {});
    assert_eq!(visible(&PDP, &anyone, &facts, None, &catalogue(), NOW).unwrap().len(), 7);
    let asked = read(&parts("GET", "/v1/models", &[]), b"").unwrap();
    assert_eq!(ask(&anyone, &facts, &asked).unwrap_err().status(), 429);
    assert!(ask(&anyone, &Facts::default(), &asked).unwrap().candidates().next().is_none());
}

#[test]
fn both_forms_of_a_list_are_what_clients_expect() {
    let catalogue = catalogue();
    let mini = of_models(&["gpt-4o-mini", "claude-sonnet-4-5"]);
    let shown = visible(&PDP, &mini, &Facts::default(), None, &catalogue, NOW).unwrap();
    let body: Value =
        serde_json::from_slice(&list(Dialect::OpenAi, &"/v1/models".parse().unwrap(), &shown).unwrap()).unwrap();
    assert_eq!(body["object"], json!("list"));
    assert_eq!(body["data"][0], json!({"id":"gpt-4o-mini","object":"model","created":0,"owned_by":"openai"}));
    let page = |query: &str| -> Result<Value, Refusal> {
        let body = list(Dialect::Anthropic, &format!("/v1/models?{query}").parse().unwrap(), &shown)?;
        Ok(serde_json::from_slice(&body).unwrap())
    };
    let ids = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = page("limit=1000").unwrap();
    assert_eq!(ids(&all), ["gpt-4o-mini", "claude-sonnet-4-5", "fast"]);
    assert_eq!(
        (&all["has_more"], &all["first_id"], &all["last_id"]),
        (&json!(false), &json!("gpt-4o-mini"), &json!("fast"))
    );
    for (query, expected, more) in [
        ("limit=1", &["gpt-4o-mini"][..], true),
        ("limit=2&after_id=gpt-4o-mini", &["claude-sonnet-4-5", "fast"], false),
        ("limit=1&after_id=gpt-4o-mini", &["claude-sonnet-4-5"], true),
        ("after_id=fast", &[], false),
        ("limit=1&before_id=fast", &["claude-sonnet-4-5"], true),
        ("before_id=claude-sonnet-4-5", &["gpt-4o-mini"], false),
        ("after_id=taken-away", &["gpt-4o-mini", "claude-sonnet-4-5", "fast"], false),
    ] {
        let page = page(query).unwrap();
        assert_eq!(
            (ids(&page), &page["has_more"]),
            (expected.iter().map(|id| (*id).to_owned()).collect(), &json!(more)),
            "{query}"
        );
    }
    assert_eq!(page("after_id=fast").unwrap()["first_id"], Value::Null);
    for query in ["limit=0", "limit=1001", "limit=x", "limit=", "after_id=a&before_id=b"] {
        assert!(page(query).is_err(), "{query}");
    }
}
