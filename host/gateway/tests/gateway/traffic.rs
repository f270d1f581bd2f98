//! Admitted and denied, in every dialect, streaming and not.

use cedargate::model::Timestamp;
use cedargate_tokens::Verdict;
use http::{Method, StatusCode};
use serde_json::json;

use crate::client::chat;
use crate::world::{World, mistyped, until};

fn scoped(models: &[&str]) -> impl FnOnce(&mut cedargate_tokens::NewToken) {
    let models = models.iter().map(|model| (*model).to_owned()).collect();
    move |new| new.grant.bindings.models = Some(models)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_admitted_to_its_models_and_to_no_others() {
    let world = World::new().await;
    let token = world.token("frontend", scoped(&["gpt-4o-mini"])).await;
    let secret = token.secret.expose();

    let admitted = world.client.chat(secret, "gpt-4o-mini").await;
    assert_eq!(admitted.status, StatusCode::OK, "{}", admitted.text());
    let answer = admitted.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "one two three");
    assert_eq!(answer["usage"]["completion_tokens"], 3);
    assert!(admitted.header("x-request-id").is_some());

    let denied = world.client.chat(secret, "gpt-4o").await;
    assert_eq!((denied.status, denied.code()), (StatusCode::FORBIDDEN, "model_not_allowed"));
    let error = &denied.json()["error"];
    assert_eq!(error["code"], "model_not_allowed");
    assert!(!denied.text().contains("gpt-4o-mini"), "a denial says nothing of what else is allowed");

    let allow = world.event("frontend", |event| event.decision == Verdict::Allow).await;
    assert_eq!(allow.id.as_ref(), admitted.header("x-request-id").unwrap());
    assert_eq!((allow.action.as_ref(), allow.status), ("chat.completions", 200));
    assert_eq!((allow.provider.as_deref(), allow.model.as_deref()), (Some("echo"), Some("gpt-4o-mini")));
    assert_eq!((allow.tokens_out, allow.secret_version), (Some(3), Some(1)));
    assert!(allow.cost_nanos.is_some_and(|cost| cost > 0) && allow.policy_set.is_some());
    assert_eq!(allow.policies.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["general-uses-gateway"]);
    let deny = world.event("frontend", |event| event.decision == Verdict::Deny).await;
    assert_eq!((deny.status, deny.code.as_deref()), (403, Some("model_not_allowed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_streams_end_in_done() {
    let world = World::new().await;
    let secret = world.secret("app").await;
    let mut body = chat("gpt-4o");
    body["stream"] = json!(true);
    let reply = world.client.post("/v1/chat/completions", &secret, &body).await;
    assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert!(reply.text().ends_with("data: [DONE]\n\n"), "{}", reply.text());
    assert!(!reply.text().contains("prompt_tokens"), "nobody asked for a count");
    body["stream_options"] = json!({"include_usage": true});
    let counted = world.client.post("/v1/chat/completions", &secret, &body).await;
    assert!(counted.text().contains("prompt_tokens"));
    let event = world.event("app", |event| event.tokens_out == Some(3)).await;
    assert_eq!(event.id.as_ref(), counted.header("x-request-id").unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_of_a_stream_is_plain_json() {
    let world = World::new().await;
    let token = world.token("scoped", scoped(&["other"])).await;
    let mut body = chat("gpt-4o");
    body["stream"] = json!(true);
    let denied = world.client.post("/v1/chat/completions", token.secret.expose(), &body).await;
    assert_eq!((denied.status, denied.header("content-type")), (StatusCode::FORBIDDEN, Some("application/json")));
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropic_gets_its_own_form_of_everything() {
    let world = World::new().await;
    let token = world.token("claude", scoped(&["claude-sonnet-4-5"])).await;
    let secret = token.secret.expose();
    let message = |model: &str, stream: bool| json!({"model": model, "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": "a b"}]});
    let headers = [("x-api-key", secret), ("anthropic-version", "2023-06-01"), ("content-type", "application/json")];
    let post = |path: &str, body: serde_json::Value| {
        world.client.send(world.client.request(Method::POST, path, &headers, &body.to_string()))
    };
    let whole = post("/v1/messages?beta=true", message("claude-sonnet-4-5", false)).await;
    assert_eq!(whole.json()["content"][0]["text"], "a b", "{}", whole.text());
    assert!(whole.header("request-id").is_some());
    let stream = post("/v1/messages", message("claude-sonnet-4-5", true)).await;
    assert!(stream.text().starts_with("event: message_start\n"), "{}", stream.text());
    assert!(stream.text().contains("event: content_block_delta\n") && stream.text().contains("event: message_stop\n"));
    let counted = post("/v1/messages/count_tokens", message("claude-sonnet-4-5", false)).await;
    assert!(counted.json()["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0));
    let denied = post("/v1/messages", message("gpt-4o", false)).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
    let error = denied.json();
    assert_eq!((error["type"].as_str(), error["error"]["type"].as_str()), (Some("error"), Some("permission_error")));
    assert_eq!(error["request_id"].as_str(), denied.header("request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_answers() {
    let world = World::new().await;
    let secret = world.secret("app").await;
    let model = "gpt-4o";
    let posts = [
        ("/v1/completions", json!({"model": model, "prompt": "x"})),
        ("/v1/completions", json!({"model": model, "prompt": "x", "stream": true})),
        ("/v1/responses", json!({"model": model, "input": "x"})),
        ("/v1/responses", json!({"model": model, "input": "x", "stream": true})),
        ("/v1/embeddings", json!({"model": model, "input": ["x", "y"], "encoding_format": "base64"})),
        ("/v1/images/generations", json!({"model": model, "prompt": "x"})),
        ("/v1/audio/speech", json!({"model": model, "input": "x", "voice": "alloy"})),
        ("/openai/deployments/gpt-4o/chat/completions?api-version=2024-06-01", chat(model)),
        ("/v1beta/models/gpt-4o:generateContent", json!({"contents": [{"parts": [{"text": "x"}]}]})),
        ("/v1beta/models/gpt-4o:streamGenerateContent?alt=sse", json!({"contents": [{"parts": [{"text": "x"}]}]})),
        ("/v1beta/models/gpt-4o:streamGenerateContent", json!({"contents": [{"parts": [{"text": "x"}]}]})),
        ("/v1beta/models/gpt-4o:countTokens", json!({"contents": [{"parts": [{"text": "x"}]}]})),
    ];
    for (path, body) in posts {
        let reply = world.client.post(path, &secret, &body).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
        assert!(!reply.body.is_empty(), "{path}");
    }
    let probe = world.client.send(world.client.request(Method::HEAD, "/", &[], "")).await;
    assert_eq!(probe.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_credential_it_is_401_whatever_is_asked() {
    let world = World::new().await;
    let secret = world.secret("app").await;
    let gone = world.secret("gone").await;
    let selector = cedargate_tokens::Selector::Name("gone".to_owned());
    world.tokens.revoke(&selector, None).await.unwrap();
    let other = world.secret("other").await;
    let bearer = |secret: &str| format!("Bearer {secret}");
    let mistyped = mistyped(&secret);
    let cases: Vec<(Vec<(&str, String)>, &str)> = vec![
        (vec![], "token_missing"),
        (vec![("authorization", bearer(&gone))], "token_revoked"),
        (vec![("authorization", bearer(&mistyped))], "token_malformed"),
        (vec![("authorization", bearer("gw_sk_unknown_to_us_0123456789"))], "token_unknown"),
        (vec![("x-api-key", "x'OR'1'='1'--".to_owned())], "token_unknown"),
        (vec![("authorization", bearer(&secret)), ("x-api-key", other.clone())], "token_conflict"),
        (vec![("authorization", bearer(&secret)), ("authorization", bearer(&secret))], "token_malformed"),
        (vec![("authorization", format!("{}, {}", bearer(&secret), other))], "token_malformed"),
    ];
    for (headers, code) in cases {
        let mut headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.push(("content-type", "application/json"));
        let body = chat("gpt-4o").to_string();
        let reply =
            world.client.send(world.client.request(Method::POST, "/v1/chat/completions", &headers, &body)).await;
        assert_eq!((reply.status, reply.code()), (StatusCode::UNAUTHORIZED, code), "{}", reply.text());
        assert!(!reply.text().contains(secret.as_str()) && !reply.text().contains(gone.as_str()));
    }
    let in_query = format!("/v1/chat/completions?api_key={secret}");
    let reply = world.client.post(&in_query, &secret, &chat("gpt-4o")).await;
    assert_eq!((reply.status, reply.code()), (StatusCode::UNAUTHORIZED, "token_malformed"));
    let same_twice = [("authorization", bearer(&secret)), ("x-api-key", secret.clone())];
    let headers: Vec<_> = same_twice.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let reply = world.client.send(world.client.request(Method::GET, "/v1/models", &headers, "")).await;
    assert_eq!(reply.status, StatusCode::OK, "the same credential may stand in two headers");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ambiguous_or_unknown_is_refused() {
    let world = World::new().await;
    let secret = world.secret("app").await;
    let bearer = format!("Bearer {secret}");
    let json = ("content-type", "application/json");
    let cases: [(&str, &str, &str, u16, &str); 8] = [
        ("POST", "/v1/nothing", "{}", 404, "route_unknown"),
        ("GET", "/v1/chat/completions", "", 405, "method_not_allowed"),
        ("POST", "/v1/chat/completions", r#"{"model":"gpt-4o","model":"o3"}"#, 400, "request_invalid"),
        ("POST", "/v1/chat/completions", r#"{"model":"gpt-4o","Model":"o3"}"#, 400, "request_invalid"),
        ("POST", "/v1/chat/completions?model=o3", r#"{"model":"gpt-4o"}"#, 400, "request_invalid"),
        ("POST", "/v1/chat/completions", r#"{"model":"GPT-4o"}"#, 404, "model_not_found"),
        ("POST", "/v1/chat/completions", r#"{"model":"gpt-4o*"}"#, 400, "request_invalid"),
        ("POST", "/v1/chat/completions", "[]", 400, "request_invalid"),
    ];
    for (method, path, body, status, code) in cases {
        let headers = [("authorization", bearer.as_str()), json];
        let request = world.client.request(method.parse().unwrap(), path, &headers, body);
        let reply = world.client.send(request).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{method} {path} {body}: {}", reply.text());
    }
    let headers = [("authorization", bearer.as_str()), json, ("content-encoding", "gzip")];
    let request = world.client.request(Method::POST, "/v1/chat/completions", &headers, "x");
    assert_eq!(world.client.send(request).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_come_from_the_gateway_and_not_from_the_client() {
    let world = World::new().await;
    let here = world.token("here", |new| new.grant.bindings.gateway_id = Some("gw-test".to_owned())).await;
    let elsewhere = world.token("elsewhere", |new| new.grant.bindings.gateway_id = Some("gw-other".to_owned())).await;
    let group = world.token("group", |new| new.grant.bindings.consumer_group = Some("web".to_owned())).await;
    let others = world.token("others", |new| new.grant.bindings.consumer_group = Some("batch".to_owned())).await;
    let near = world.token("near", |new| new.grant.bindings.networks = Some(vec!["127.0.0.0/8".to_owned()])).await;
    let far = world.token("far", |new| new.grant.bindings.networks = Some(vec!["10.0.0.0/8".to_owned()])).await;
    let team = world.token("team", |new| new.grant.team_id = Some("red".to_owned())).await;
    for (token, code) in [
        (&here, ""),
        (&elsewhere, "gateway_mismatch"),
        (&group, ""),
        (&others, "consumer_group_mismatch"),
        (&near, ""),
        (&far, "network_not_allowed"),
        (&team, ""),
    ] {
        let bearer = format!("Bearer {}", token.secret.expose());
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-consumer-group", "batch"),
            ("x-cedargate-gateway", "gw-other"),
        ];
        let body = chat("gpt-4o").to_string();
        let reply =
            world.client.send(world.client.request(Method::POST, "/v1/chat/completions", &headers, &body)).await;
        assert_eq!(reply.code(), code, "{}", token.token.name);
    }
    let bearer = format!("Bearer {}", team.secret.expose());
    let headers = [("authorization", bearer.as_str()), ("x-cedargate-team", "blue")];
    let claimed = world.client.send(world.client.request(Method::GET, "/v1/models", &headers, "")).await;
    assert_eq!((claimed.status, claimed.code()), (StatusCode::FORBIDDEN, "team_mismatch"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_profiles_send_no_traffic_and_times_bound() {
    let world = World::new().await;
    let runtime = world
        .token("runtime", |new| {
            new.grant = cedargate_tokens::Grant::new("gateway_runtime", "gateway_runtime");
            new.grant.bindings.gateway_id = Some("gw-test".to_owned());
        })
        .await;
    let early = world
        .token("early", |new| {
            new.grant.not_before = Some(Timestamp::from_millis(Timestamp::now().as_millis() + 3_600_000));
        })
        .await;
    for (token, status, code) in [(&runtime, 403, "action_not_allowed"), (&early, 401, "token_not_yet_valid")] {
        let reply = world.client.chat(token.secret.expose(), "gpt-4o").await;
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_are_on_their_own_listener() {
    let world = World::new().await;
    let secret = world.secret("app").await;
    world.client.chat(&secret, "gpt-4o").await;
    assert_eq!(world.admin.get("/healthz", "-").await.status, StatusCode::OK);
    assert_eq!(world.admin.get("/readyz", "-").await.status, StatusCode::OK);
    let metrics = world.metrics().await;
    assert!(
        metrics.contains("cedargate_gateway_requests_total{endpoint=\"chat/completions\",status=\"2xx\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("cedargate_decisions_total"));
    let elsewhere = world.client.get("/metrics", &secret).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND, "clients do not see them");
}

#[tokio::test(flavor = "multi_thread")]
async fn models_that_are_not_listed_are_counted_together() {
    let tables = "
        [providers.echo]
        dialect = \"echo\"
        any_model = true
        [providers.away]
        dialect = \"openai\"
        base_url = \"http://127.0.0.1:9/v1\"
        any_model = true
        [[models]]
        id = \"echo/gpt-4o\"
    ";
    let world = World::with(tables).await;
    let token = world.token("app", |_| {}).await;
    let secret = token.secret.expose();
    for n in 0..5 {
        let made_up = world.client.chat(secret, &format!("echo/made-up-{n}")).await;
        assert_eq!(made_up.status, StatusCode::OK, "{}", made_up.text());
        assert!(world.client.chat(secret, &format!("away/made-up-{n}")).await.status.is_server_error());
    }
    assert_eq!(world.client.chat(secret, "gpt-4o").await.status, StatusCode::OK);
    until("all is recorded", || async { world.events().await.len() == 11 }).await;
    let usage = world.store.usage(&token.token.id, Timestamp::from_millis(0)).await.unwrap();
    let counted: Vec<_> = usage.iter().map(|(model, count)| (model.as_str(), count.requests)).collect();
    assert_eq!(counted, [("(unlisted)", 10), ("gpt-4o", 1)]);
}
