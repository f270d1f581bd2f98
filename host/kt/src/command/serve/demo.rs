//! `kt serve --demo`: three tokens, and what to try with them.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use anyhow::Context;
use cedargate_gateway::config::{Config, Listener};
use cedargate_gateway::{Overrides, Running};
use cedargate_tokens::{Actor, Grant, NewToken, Period, Rotation, Secret, Selector, TokenError, Tokens};

use crate::stdout;

/// The model that the scoped token may use.
const SMALL: &str = "gpt-4o-mini";

/// A model that it may not use.
const LARGE: &str = "gpt-4o";

/// Makes `curl` write the status below the reply.
const STATUS: &str = r"\n%{http_code}\n";

/// Listens at any free port where the usual ones are taken and nobody named others.
pub(super) fn choose_free_ports(config: &mut Config, overrides: &Overrides) {
    let usable = |address: SocketAddr| match TcpListener::bind(address) {
        Ok(_) => address,
        Err(_) => SocketAddr::new(address.ip(), 0),
    };
    if overrides.listen.is_none() {
        config.listeners = config.listeners.iter().map(|place| Listener::at(usable(place.address))).collect();
    }
    if overrides.admin.is_none() {
        config.admin = config.admin.map(usable);
    }
}

/// Makes the tokens and prints what to try.
pub(super) async fn show(running: &Running, store: &Path) -> anyhow::Result<()> {
    let tokens = running.tokens(Actor::new("demo").context("no name for the demo")?);
    let app = mint(&tokens, "demo-app", Grant::general()).await?;
    let mut scoped = Grant::general();
    scoped.bindings.models = Some(vec![SMALL.to_owned()]);
    let scoped = mint(&tokens, "demo-scoped", scoped).await?;
    let mut runtime = Grant::new("gateway_runtime", "gateway_runtime");
    runtime.bindings.gateway_id = Some(running.gateway_id());
    let runtime = mint(&tokens, "demo-runtime", runtime).await?;
    let address = running.addresses().first().context("the gateway listens nowhere")?;
    stdout::print(&text(*address, &app, &scoped, &runtime, store))
}

/// A token of this name: a new one, or the one of an earlier demo with a new secret.
async fn mint(tokens: &Tokens, name: &str, grant: Grant) -> anyhow::Result<Secret> {
    match tokens.create(NewToken::new(name, grant)).await {
        Ok(created) => Ok(created.secret),
        Err(TokenError::NameInUse(_)) => {
            let rotation = Rotation { grace: Period::hours(0), idempotency_key: None };
            Ok(tokens.rotate(&Selector::Name(name.to_owned()), &rotation).await?.secret)
        }
        Err(error) => Err(error.into()),
    }
}

fn text(address: SocketAddr, app: &Secret, scoped: &Secret, runtime: &Secret, store: &Path) -> String {
    let (app, scoped, runtime) = (app.expose(), scoped.expose(), runtime.expose());
    let kt = std::env::args().next().unwrap_or_else(|| "kt".to_owned());
    let store = store.display();
    let chat = |secret: &str, model: &str| {
        format!(
            "curl -s http://{address}/v1/chat/completions -H 'Authorization: Bearer {secret}' \\\n    \
             -H 'Content-Type: application/json' -w '{STATUS}' \\\n    \
             -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hello\"}}]}}'"
        )
    };
    let mut text = format!(
        "The gateway listens at http://{address}, with a built-in provider that answers with your own words.\n\n\
         Three tokens, shown only now:\n  demo-app      {app}\n                any model\n  \
         demo-scoped   {scoped}\n                {SMALL} and nothing else\n  \
         demo-runtime  {runtime}\n                the gateway's own identity: no AI traffic\n\n\
         Try this in another terminal.\n"
    );
    for (what, command) in [
        ("An allow (200):", chat(app, LARGE)),
        ("A denial (403): this token may not use this model.", chat(scoped, LARGE)),
        (
            "What it may use (200):",
            format!("curl -s http://{address}/v1/models -H 'Authorization: Bearer {scoped}' -w '{STATUS}'"),
        ),
        ("Revoke a token: within a second it is 401.", format!("{kt} tokens revoke --store '{store}' --name demo-app")),
        ("", chat(app, LARGE)),
        ("What happened, who asked for it, and what became of it:", format!("{kt} events tail --store '{store}'")),
    ] {
        // Writing into a string does not fail.
        let _ = if what.is_empty() { writeln!(text, "  {command}") } else { writeln!(text, "\n{what}\n  {command}") };
    }
    text.push_str("\nCtrl-C ends it.");
    text
}
