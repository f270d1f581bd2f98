//! A server that admits or denies: `cargo run --example axum`, then
//! `curl -i -H 'authorization: Bearer frontend' 'localhost:8080/chat.completions?openai/gpt-4o-mini'`.
#![expect(clippy::print_stdout, reason = "an example says where it listens")]

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Response, header::AUTHORIZATION};
use axum::routing::get;
use cedargate::model::{Profile, Request, Timestamp};
use cedargate::{Denial, Pdp, Permit, Principal};

struct App {
    pdp: Pdp,
    tokens: HashMap<&'static str, Principal>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pdp = Pdp::builder().build()?;
    let mut frontend = Profile::general("tok_frontend");
    frontend.bindings.models = Some(vec!["gpt-4o".to_owned(), "gpt-4o-mini".to_owned()]);
    let tokens = HashMap::from([("frontend", pdp.principal(&frontend)?)]);
    let app = Router::new().route("/{action}", get(answer)).with_state(Arc::new(App { pdp, tokens }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on {}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn answer(
    State(app): State<Arc<App>>,
    Path(action): Path<String>,
    RawQuery(model): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(token) = bearer.and_then(|secret| app.tokens.get(secret)) else {
        return Response::builder().status(401).body("token_unknown".into()).unwrap_or_default();
    };
    let mut request = Request::new(action);
    if let Some((provider, model)) = model.as_deref().and_then(|model| model.split_once('/')) {
        (request.provider, request.model) = (Some(provider.to_owned()), Some(model.to_owned()));
    }
    app.pdp.decide(token, &request, Timestamp::now()).into_result().map_or_else(denied, admitted)
}

fn admitted(_: Permit) -> Response<Body> {
    Response::new("admitted\n".into())
}

fn denied(denial: Denial) -> Response<Body> {
    let builder =
        denial.headers().fold(Response::builder().status(denial.status), |b, (name, value)| b.header(name, value));
    builder.body(format!("{}: {}\n", denial.code, denial.message).into()).unwrap_or_default()
}
