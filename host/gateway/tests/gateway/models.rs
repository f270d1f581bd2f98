//! `/v1/models` shows what the same policies admit.

use http::{Method, StatusCode};

use crate::world::World;

fn ids(list: &serde_json::Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_holds_exactly_the_models_that_may_be_called() {
    let world = World::new().await;
    let all = world.secret("all").await;
    let some =
        world.token("some", |new| new.grant.bindings.models = Some(vec!["gpt-4o".to_owned(), "o3".to_owned()])).await;
    let none = world.token("none", |new| new.grant.bindings.models = Some(Vec::new())).await;
    let everything = world.client.get("/v1/models", &all).await.json();
    assert_eq!(everything["object"], "list");
    assert_eq!(ids(&everything).len(), 5);
    for (secret, expected) in [(some.secret.expose(), vec!["gpt-4o", "o3"]), (none.secret.expose(), vec![])] {
        let listed = world.client.get("/v1/models", secret).await.json();
        assert_eq!(ids(&listed), expected);
        for model in ids(&everything) {
            let status = world.client.chat(secret, model).await.status;
            assert_eq!(status == StatusCode::OK, expected.contains(&model), "{model}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_model_is_not_there_and_the_event_says_why() {
    let world = World::new().await;
    let token = world.token("some", |new| new.grant.bindings.models = Some(vec!["gpt-4o".to_owned()])).await;
    let secret = token.secret.expose();
    let shown = world.client.get("/v1/models/gpt-4o", secret).await;
    assert_eq!((shown.status, shown.json()["id"].as_str()), (StatusCode::OK, Some("gpt-4o")));
    let hidden = world.client.get("/v1/models/o3", secret).await;
    let unknown = world.client.get("/v1/models/never-was", secret).await;
    assert_eq!((hidden.status, hidden.code()), (StatusCode::NOT_FOUND, "model_not_found"));
    assert_eq!(hidden.text(), unknown.text(), "nobody can tell a hidden model from none");
    let event = world.event("some", |event| event.model.as_deref() == Some("o3")).await;
    assert_eq!((event.status, event.code.as_deref()), (403, Some("model_not_allowed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropic_lists_in_its_own_form() {
    let world = World::new().await;
    let secret = world.secret("claude").await;
    let headers = [("x-api-key", secret.as_str()), ("anthropic-version", "2023-06-01")];
    let request = |path: &str| world.client.request(Method::GET, path, &headers, "");
    let list = world.client.send(request("/v1/models?limit=1000")).await.json();
    assert_eq!(list["has_more"], false);
    assert!(list["data"].as_array().unwrap().iter().all(|model| model["type"] == "model"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scope_to_read_lists_and_does_no_more() {
    let world = World::new().await;
    let token = world.token("reader", |new| new.grant.bindings.scopes = Some(vec!["read".to_owned()])).await;
    let secret = token.secret.expose();
    assert_eq!(world.client.get("/v1/models", secret).await.status, StatusCode::OK);
    let denied = world.client.chat(secret, "gpt-4o").await;
    assert_eq!((denied.status, denied.code()), (StatusCode::FORBIDDEN, "scope_not_allowed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_model_of_an_allowed_provider_needs_no_new_configuration() {
    let world = World::new().await;
    let token = world.token("echo", |new| new.grant.bindings.models = Some(vec!["echo/*".to_owned()])).await;
    let reply = world.client.chat(token.secret.expose(), "echo/released-today").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let other = world.client.chat(token.secret.expose(), "echoes/released-today").await;
    assert_eq!(other.status, StatusCode::FORBIDDEN, "another provider whose name begins alike is another provider");
}
