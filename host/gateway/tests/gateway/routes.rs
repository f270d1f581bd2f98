//! Consumer groups by where a request comes in: by the listener, and by the route.

use std::path::Path;

use cedargate_gateway::Overrides;
use cedargate_gateway::config::Config;
use cedargate_tokens::Created;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Client, chat};
use crate::world::{World, config, until};

const LISTENERS: &str = "
[[listeners]]
address = \"127.0.0.1:0\"
consumer_group = \"web\"
[[listeners.routes]]
path_prefix = \"/v1/messages\"
consumer_group = \"agents\"
[[listeners.routes]]
path_prefix = \"/v1/messages/count_tokens\"
consumer_group = \"web\"
[[listeners.routes]]
path_prefix = \"/v1/embeddings\"
consumer_group = \"batch\"
[[listeners.routes]]
path_prefix = \"/openai\"
consumer_group = \"batch\"
[[listeners]]
address = \"127.0.0.1:0\"
";

fn routed() -> Config {
    let mut config = config("");
    config.listeners = Config::parse(LISTENERS, "gateway.toml", Path::new("")).unwrap().listeners;
    config
}

async fn bound(world: &World, group: &str) -> Created {
    world.token(group, |new| new.grant.bindings.consumer_group = Some(group.to_owned())).await
}

fn embed() -> Value {
    json!({"model": "text-embedding-3-small", "input": "x"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_group_works_on_the_routes_of_its_group() {
    let world = World::started(routed(), |_| {}).await;
    let (web, batch, agents) =
        (bound(&world, "web").await, bound(&world, "batch").await, bound(&world, "agents").await);
    let azure = "/openai/deployments/%67pt-4o/chat/completions";
    for (path, body, group) in [
        ("/v1/chat/completions", chat("gpt-4o"), "web"),
        ("/v1/messages", chat("gpt-4o"), "agents"),
        // The longer prefix counts, wherever it stands.
        ("/v1/messages/count_tokens", json!({"model": "gpt-4o", "messages": []}), "web"),
        ("/v1/embeddings", embed(), "batch"),
        (azure, chat("gpt-4o"), "batch"),
    ] {
        for token in [&web, &batch, &agents] {
            let reply = world.client.post(path, token.secret.expose(), &body).await;
            let expected = if token.token.name == group { (200, "") } else { (403, "consumer_group_mismatch") };
            assert_eq!((reply.status.as_u16(), reply.code()), expected, "{} {path}", token.token.name);
        }
    }
    // A listener without a group has none: a token of a group does not work there.
    let elsewhere = Client::new(world.running.addresses()[1]);
    for token in [&web, &batch] {
        let reply = elsewhere.post("/v1/embeddings", token.secret.expose(), &embed()).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (403, "consumer_group_mismatch"));
    }
    let anybody = world.secret("anybody").await;
    assert_eq!(elsewhere.post("/v1/embeddings", &anybody, &embed()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_path_and_no_header_leads_into_another_group() {
    let world = World::started(routed(), |_| {}).await;
    let web = bound(&world, "web").await;
    let bearer = format!("Bearer {}", web.secret.expose());
    let body = embed().to_string();
    for path in [
        "/v1/embeddings",
        "/v1/embeddings/",
        "/v1/embeddings?",
        "/v1/embeddings?path=/v1/chat",
        "/v1/embeddings.",
        "/v1/embeddings;x",
        "/v1/embeddings%20",
        "/v1/embeddings%2f",
        "/v1/%65mbeddings",
        "/v1%2fembeddings",
        "/V1/Embeddings",
        "/v1//embeddings",
        "//v1/embeddings",
        "/./v1/embeddings",
        "/v1/%2e/embeddings",
        "/v1/chat/../embeddings",
        "/v1/chat/%2e%2e/embeddings",
    ] {
        for (name, value) in [
            ("x-nothing", "-"),
            ("host", "web.example"),
            ("x-consumer-group", "web"),
            ("x-cedargate-consumer-group", "web"),
            ("x-original-url", "/v1/chat/completions"),
            ("x-rewrite-url", "/v1/chat/completions"),
            ("x-forwarded-prefix", "/v1/chat"),
            ("x-forwarded-host", "web.example"),
        ] {
            let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), (name, value)];
            let reply = world.client.send(world.client.request(Method::POST, path, &headers, &body)).await;
            let allowed = [(403, "consumer_group_mismatch"), (404, "route_unknown")];
            assert!(allowed.contains(&(reply.status.as_u16(), reply.code())), "{path} {name}: {}", reply.text());
        }
    }
}

#[test]
fn another_address_on_the_command_line_changes_nothing_else() {
    let text = LISTENERS.replacen("consumer_group", "trusted_proxies = [\"10.0.0.0/8\"]\nconsumer_group", 1);
    let before = Config::parse(&text, "gateway.toml", Path::new("")).unwrap();
    let mut overrides = Overrides::default();
    overrides.listen = Some("[::1]:80".parse().unwrap());
    let after = overrides.apply(before.clone()).listeners;
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].address.to_string(), "[::1]:80");
    assert_eq!(after[0].consumer_group.as_deref(), Some("web"));
    assert_eq!(
        (&after[0].routes, &after[0].trusted_proxies),
        (&before.listeners[0].routes, &before.listeners[0].trusted_proxies)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_change_with_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let write = |group: &str| {
        let listeners = format!(
            "admin = {{ address = \"127.0.0.1:0\" }}\n[[listeners]]\naddress = \"127.0.0.1:0\"\n\
             routes = [{{ path_prefix = \"/v1/embeddings\", consumer_group = \"{group}\" }}]\n\
             [timeouts]\ndecision_ms = 20000\n"
        );
        std::fs::write(&file, listeners).unwrap();
    };
    write("batch");
    let world = World::of_file(&file).await;
    let batch = bound(&world, "batch").await;
    let status = || async { world.client.post("/v1/embeddings", batch.secret.expose(), &embed()).await.status };
    assert_eq!(status().await, 200);
    write("web");
    until("the other group is in force", || async { status().await == 403 }).await;
    write("batch");
    world.running.reload().await.unwrap();
    assert_eq!(status().await, 200);
}
