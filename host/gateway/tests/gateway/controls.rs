//! Tokens over HTTP, as far as the policies let each caller.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::plane::{CONTROL, Plane};
use crate::provider::{self, Provider};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lives_its_whole_life_over_http() {
    let plane = Plane::new().await;
    let admin = plane.integration("ci", &["tokens.*"], None).await;
    let new = json!({"name": "app", "token_type": "access", "expires_in": "7d", "allowed_models": ["gpt-4o-mini"]});
    let created = plane.send(Method::POST, "/v1/tokens", &admin, &new).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text());
    let token = created.json();
    let (id, key) = (token["id"].as_str().unwrap().to_owned(), token["key"].as_str().unwrap().to_owned());
    assert!(key.starts_with("kt_ak_") && token["token_type"] == "access");
    assert_eq!(plane.world.client.chat(&key, "gpt-4o-mini").await.status, StatusCode::OK, "and it works at once");

    let listed = plane.send(Method::GET, "/v1/tokens?type=access", &admin, &Value::Null).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert!(listed["data"][0].get("key").is_none(), "the secret is shown once");
    let path = format!("/v1/tokens/{id}");
    let edited = plane.send(Method::PATCH, &path, &admin, &json!({"allowed_models": null})).await;
    assert!(edited.json().get("allowed_models").is_none(), "{}", edited.text());
    assert_eq!(plane.world.client.chat(&key, "gpt-4o").await.status, StatusCode::OK);
    let rotated = plane.send(Method::POST, &format!("{path}/rotate"), &admin, &json!({"grace": "0"})).await.json();
    let newer = rotated["key"].as_str().unwrap();
    assert_eq!(plane.world.client.chat(&key, "gpt-4o").await.code(), "token_expired");
    assert_eq!(plane.world.client.chat(newer, "gpt-4o").await.status, StatusCode::OK);
    plane.send(Method::POST, &format!("{path}/disable"), &admin, &Value::Null).await;
    assert_eq!(plane.world.client.chat(newer, "gpt-4o").await.code(), "token_disabled");
    plane.send(Method::POST, &format!("{path}/enable"), &admin, &Value::Null).await;
    assert_eq!(plane.world.client.chat(newer, "gpt-4o").await.status, StatusCode::OK);
    let revoked = plane.send(Method::DELETE, &path, &admin, &Value::Null).await;
    assert_eq!(revoked.json()["status"], "revoked");
    assert_eq!(plane.world.client.chat(newer, "gpt-4o").await.code(), "token_revoked");

    let audit = plane.world.tokens.audit_after(0, 100).await.unwrap();
    assert!(audit.iter().any(|entry| format!("{entry:?}").contains("token:tok_")), "{audit:?}");
    let event = plane.world.event("ci", |event| event.action.as_ref() == "tokens.create").await;
    assert_eq!(event.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_does_more_than_the_policies_admit() {
    let plane = Plane::new().await;
    let app = plane.world.secret("app").await;
    let lister = plane.integration("lister", &["tokens.list"], None).await;
    let red = plane.integration("red", &["tokens.create"], Some("red")).await;
    let cases = [
        (Method::GET, "/v1/tokens", &app, Value::Null, 403, "action_not_allowed"),
        (Method::POST, "/v1/tokens", &lister, json!({"name": "x", "expires_in": "1d"}), 403, "scope_not_allowed"),
        (Method::GET, "/v1/tokens/tok_none", &lister, Value::Null, 403, "scope_not_allowed"),
        (Method::POST, "/v1/tokens", &red, json!({"name": "x", "expires_in": "1d"}), 403, "target_not_allowed"),
        (
            Method::POST,
            "/v1/tokens",
            &red,
            json!({"name": "x", "purpose": "integration", "team_id": "red", "scopes": ["tokens.*"], "expires_in": "1d"}),
            403,
            "target_not_allowed",
        ),
        (Method::GET, "/v1/chat/completions", &lister, Value::Null, 404, "route_unknown"),
        (Method::PUT, "/v1/tokens", &lister, Value::Null, 405, "method_not_allowed"),
    ];
    for (method, path, secret, body, status, code) in cases {
        let reply = plane.send(method.clone(), path, secret, &body).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{method} {path} {body}: {}", reply.text());
    }
    let fine = json!({"name": "x", "team_id": "red", "expires_in": "1d"});
    assert_eq!(plane.send(Method::POST, "/v1/tokens", &red, &fine).await.status, StatusCode::CREATED);
    let unknown = plane.send(Method::GET, "/v1/tokens", "sk-somebody-elses-key", &Value::Null).await;
    assert_eq!((unknown.status, unknown.code()), (StatusCode::UNAUTHORIZED, "token_unknown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_said_with_their_cure() {
    let plane = Plane::new().await;
    let admin = plane.integration("ci", &["tokens.*"], None).await;
    let cases = [
        (json!({"name": "ci", "expires_in": "1d"}), 409, "name_in_use"),
        (json!({"name": "x"}), 400, "request_invalid"),
        (json!({"name": "x", "expires_in": "91d"}), 400, "request_invalid"),
        (json!({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}), 400, "request_invalid"),
        (json!({"name": "x", "expires_in": "1d", "purpose": "gateway_runtime"}), 403, "target_not_allowed"),
        (json!({"name": "x", "expires_in": "1d", "allowed_providers": ["nobody"]}), 400, "request_invalid"),
        (json!({"name": "x", "expires_in": "1d", "allowed_model": ["gpt-4o"]}), 400, "request_invalid"),
        (json!([]), 400, "request_invalid"),
    ];
    for (body, status, code) in cases {
        let reply = plane.send(Method::POST, "/v1/tokens", &admin, &body).await;
        assert_eq!(reply.status.as_u16(), status, "{body}: {}", reply.text());
        assert_eq!(reply.json()["error"]["code"], code, "{body}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_rotation_leaves_a_key_in_use_alone() {
    let plane = Plane::new().await;
    let admin = plane.integration("ci", &["tokens.*"], None).await;
    let token = plane.world.token("app", |_| {}).await.token;
    let path = format!("/v1/tokens/{}/rotate", token.id);
    let rotation = json!({"grace": "1h", "idempotency_key": "deploy-17"});
    let first = plane.send(Method::POST, &path, &admin, &rotation).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text());
    let key = first.json()["key"].as_str().unwrap().to_owned();

    let at_once = plane.send(Method::POST, &path, &admin, &rotation).await;
    assert_eq!((at_once.status, at_once.header("retry-after")), (StatusCode::CONFLICT, Some("5")));
    assert_eq!(at_once.json()["error"]["code"], "rotation_under_way");

    // Its use is not written yet, but for this call.
    assert_eq!(plane.world.client.chat(&key, "gpt-4o").await.status, StatusCode::OK);
    let again = plane.send(Method::POST, &path, &admin, &rotation).await;
    assert_eq!((again.status, again.header("retry-after")), (StatusCode::CONFLICT, None));
    assert_eq!(again.json()["error"]["code"], "rotated_key_in_use");
    assert!(again.json()["error"]["message"].as_str().unwrap().contains("nothing was changed"), "{}", again.text());
    assert_eq!(plane.world.client.chat(&key, "gpt-4o").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_first_reply_has_not_ended_is_in_use() {
    let provider = Provider::doing(|mut stream, _| async move {
        stream
            .write_all(format!("{}{}", provider::STREAM_HEAD, provider::chunk("data: {}\n\n")).as_bytes())
            .await
            .unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let world = World::with(&format!("{CONTROL}{}", provider::tables(&provider))).await;
    let plane = Plane::of(world);
    let admin = plane.integration("ci", &["tokens.*"], None).await;
    let token = plane.world.token("app", |_| {}).await.token;
    let path = format!("/v1/tokens/{}/rotate", token.id);
    let rotation = json!({"idempotency_key": "deploy-17"});
    let key = plane.send(Method::POST, &path, &admin, &rotation).await.json()["key"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = json!({"model": "m", "stream": true, "messages": []}).to_string();
    let open = plane.world.client.request(Method::POST, "/v1/chat/completions", &headers, &body);
    let held = plane.world.client.open(open).await;
    assert_eq!(held.status(), StatusCode::OK);
    let again = plane.send(Method::POST, &path, &admin, &rotation).await;
    assert_eq!(again.json()["error"]["code"], "rotated_key_in_use");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_rotations_at_once_one_answers_with_a_key_that_lives() {
    let plane = Arc::new(Plane::new().await);
    let admin = plane.integration("ci", &["tokens.*"], None).await;
    let token = plane.world.token("app", |_| {}).await.token;
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (plane, admin, path) = (Arc::clone(&plane), admin.clone(), format!("/v1/tokens/{}/rotate", token.id));
            let rotation = json!({"idempotency_key": "deploy-17"});
            tokio::spawn(async move { plane.send(Method::POST, &path, &admin, &rotation).await })
        })
        .collect();
    let mut keys = Vec::new();
    for call in calls {
        let reply = call.await.unwrap();
        match reply.status {
            StatusCode::OK => keys.push(reply.json()["key"].as_str().unwrap().to_owned()),
            _ => assert_eq!(reply.json()["error"]["code"], "rotation_under_way", "{}", reply.text()),
        }
    }
    assert_eq!(keys.len(), 1);
    assert_eq!(plane.world.client.chat(&keys[0], "gpt-4o").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_shown_as_they_are() {
    let plane = Plane::new().await;
    let admin = plane.integration("ci", &["tokens.*"], None).await;
    let created = plane.world.token("app", |_| {}).await;
    let path = format!("/v1/tokens/{}", created.token.id);
    let secret = created.secret.expose();
    assert_eq!(plane.world.client.chat(secret, "gpt-4o").await.status, StatusCode::OK);
    let revoked = plane.send(Method::DELETE, &path, &admin, &Value::Null).await.json();
    assert_eq!((&revoked["status"], &revoked["secrets"][0]["status"]), (&json!("revoked"), &json!("revoked")));
    assert_eq!(plane.world.client.chat(secret, "gpt-4o").await.code(), "token_revoked");
    plane.world.running.flush().await.unwrap();
    let shown = plane.send(Method::GET, &path, &admin, &Value::Null).await;
    let token = shown.json();
    assert!(!shown.text().contains("active") && !shown.text().contains(secret), "{}", shown.text());
    let (used, refused) = (token["last_used_at"].as_str().unwrap(), token["last_refused_at"].as_str().unwrap());
    assert!(used < refused, "{token}");
    assert_eq!(
        (token["secrets"][0]["last_used_at"].as_str(), token["secrets"][0]["version"].as_u64()),
        (Some(used), Some(1))
    );
}
