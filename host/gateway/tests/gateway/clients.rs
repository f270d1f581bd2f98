//! The packages that people use, unmodified, against the gateway.

use std::path::Path;
use std::process::Command;

use cedargate_tokens::{Selector, Verdict};
use http::StatusCode;

use crate::world::World;

/// Asks for the clients: they are installed from their registries, which needs the network.
const ASKED: &str = "CEDARGATE_HOSTS";

async fn holds(language: &'static str) {
    if std::env::var_os(ASKED).is_none() {
        assert!(std::env::var_os("CI").is_none(), "`{ASKED}=1` must be set here: clients are part of the promise");
        println!("not run: `{ASKED}=1 cargo test -p cedargate-gateway --test gateway clients` installs and runs them");
        return;
    }
    let world = World::new().await;
    let app = world.secret("app").await;
    let scoped = world.token("scoped", |new| new.grant.bindings.models = Some(vec!["gpt-4o-mini".to_owned()])).await;
    let spent = world.token("spent", |new| new.allowances = vec!["1requests".parse().unwrap()]).await;
    assert_eq!(world.client.chat(spent.secret.expose(), "gpt-4o").await.status, StatusCode::OK);
    let revoked = world.secret("revoked").await;
    world.tokens.revoke(&Selector::Name("revoked".to_owned()), None).await.unwrap();

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(root.join("tests/clients").join(language).join("run.sh"));
    command
        .env("GATEWAY_URL", format!("http://{}", world.running.addresses()[0]))
        .env("APP_TOKEN", app)
        .env("SCOPED_TOKEN", scoped.secret.expose())
        .env("SPENT_TOKEN", spent.secret.expose())
        .env("REVOKED_TOKEN", revoked);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" passed, 0 failed"), "{said}");
    println!("{said}");
    let expected: usize = said.lines().find_map(|line| line.strip_suffix(" denials")).unwrap().parse().unwrap();
    let denied = world.events().await.iter().filter(|event| event.decision == Verdict::Deny).count();
    assert_eq!(denied, expected, "a client tried again what cannot succeed");
}

#[tokio::test(flavor = "multi_thread")]
async fn python_packages_work() {
    holds("python").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_packages_work() {
    holds("node").await;
}
