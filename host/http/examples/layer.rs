//! A proxy's front that admits or denies: `cargo run -p cedargate-http --example layer`, then
//! `curl -i localhost:8080/v1/chat/completions -H 'authorization: Bearer frontend' -H 'content-type: application/json' -d
//! '{"model":"gpt-4o-mini"}'`.
#![expect(clippy::print_stdout, reason = "an example says where it listens")]

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::extract::Extension;
use cedargate::Pdp;
use cedargate::model::Profile;
use cedargate_http::catalogue::{ModelTable, Unlisted};
use cedargate_http::credential::Credential;
use cedargate_http::layer::{Admitted, AuthorizeLayer, Settings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pdp = Pdp::builder().build()?;
    let mut frontend = Profile::general("tok_frontend");
    frontend.bindings.models = Some(vec!["gpt-4o-mini".to_owned()]);
    let tokens = HashMap::from([("frontend", pdp.principal(&frontend)?)]);
    let authenticator = move |credential: &Credential| Ok(tokens.get(credential.expose()).cloned());

    let mut catalogue = ModelTable::builder();
    catalogue.provider("openai", Unlisted::Refused).model("openai", "gpt-4o").model("openai", "gpt-4o-mini");
    let catalogue = Arc::new(catalogue.build()?);

    let settings = Settings { gateway_id: Some("gw-east".into()), ..Settings::default() };
    let app = Router::new().fallback(serve).layer(AuthorizeLayer::new(pdp, authenticator, catalogue, settings));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on {}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

/// Where a proxy would send the request on: only what is admitted comes here.
async fn serve(Extension(admitted): Extension<Admitted>) -> String {
    let to: Vec<_> = admitted.admission().candidates().map(|(to, _)| format!("{}/{}", to.provider, to.model)).collect();
    format!("{} may go to {}\n", admitted.asked().endpoint().label(), to.join(", "))
}
