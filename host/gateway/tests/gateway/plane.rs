//! A control plane, and callers of it.

use cedargate_tokens::{Grant, NewToken, Selector, Token};
use http::{Method, StatusCode};
use serde_json::Value;

use crate::client::{Client, Reply};
use crate::world::{World, config};

pub const CONTROL: &str = "[control]\naddress = \"127.0.0.1:0\"\n[tokens]\nexpires_in_max = \"90d\"\n";

/// The same where nothing bounds the life of tokens.
pub const UNBOUNDED: &str = "[control]\naddress = \"127.0.0.1:0\"\n";

pub struct Plane {
    pub world: World,
    pub client: Client,
}

impl Plane {
    pub async fn new() -> Self {
        Self::with(CONTROL).await
    }

    pub async fn with(tables: &str) -> Self {
        Self::of(World::with(tables).await)
    }

    /// A control plane under the built-in policies and these.
    pub async fn under(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let policies = crate::reloads::policies(folder.path());
        std::fs::write(policies.join("more.cedar"), more).unwrap();
        cedargate::write_lock(&policies).unwrap();
        let mut config = config(UNBOUNDED);
        config.policies = Some(policies);
        let world = World::started(config, |_| {}).await;
        drop(folder);
        Self::of(world)
    }

    pub fn of(world: World) -> Self {
        let client = Client::new(world.running.control_address().unwrap());
        Self { world, client }
    }

    /// A machine at the control plane without expiry.
    pub async fn integration(&self, name: &str, scopes: &[&str], team: Option<&str>) -> String {
        self.caller(name, scopes, |new| new.grant.team_id = team.map(str::to_owned)).await
    }

    pub async fn caller(&self, name: &str, scopes: &[&str], change: impl FnOnce(&mut NewToken)) -> String {
        let token = self.world.token(name, |new| {
            new.grant = Grant::new("integration", "api_token");
            new.grant.bindings.scopes = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
            change(new);
        });
        token.await.secret.expose().to_owned()
    }

    /// The id of a new token, changed as the test wants it.
    pub async fn token(&self, name: &str, change: impl FnOnce(&mut NewToken)) -> String {
        self.world.token(name, change).await.token.id
    }

    pub async fn find(&self, id: &str) -> Token {
        self.world.tokens.find(&Selector::Id(id.to_owned())).await.unwrap()
    }

    pub async fn send(&self, method: Method, path: &str, secret: &str, body: &Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send_text(method, path, secret, &body).await
    }

    pub async fn send_text(&self, method: Method, path: &str, secret: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {secret}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.client.send(self.client.request(method, path, &headers, body)).await
    }

    /// A request about one token: `inspect`, `edit`, `rotate` and so on.
    pub async fn act(&self, verb: &str, id: &str, secret: &str, body: &Value) -> Reply {
        let path = format!("/v1/tokens/{id}");
        match verb {
            "inspect" => self.send(Method::GET, &path, secret, &Value::Null).await,
            "edit" => self.send(Method::PATCH, &path, secret, body).await,
            "delete" => self.send(Method::DELETE, &path, secret, body).await,
            verb => self.send(Method::POST, &format!("{path}/{verb}"), secret, body).await,
        }
    }

    pub async fn create(&self, secret: &str, body: &Value) -> Reply {
        self.send(Method::POST, "/v1/tokens", secret, body).await
    }

    /// The names of the tokens that somebody sees.
    pub async fn listed(&self, secret: &str) -> Vec<String> {
        let reply = self.send(Method::GET, "/v1/tokens", secret, &Value::Null).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
        names(&reply)
    }
}

pub fn names(list: &Reply) -> Vec<String> {
    let json = list.json();
    let rows = json["data"].as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

/// What a reply says, in short.
pub fn said(reply: &Reply) -> (u16, String) {
    let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    (reply.status.as_u16(), json["error"]["code"].as_str().unwrap_or_default().to_owned())
}

/// The denial of what is out of place or beyond one's own power.
pub fn refused() -> (u16, String) {
    (403, "target_not_allowed".to_owned())
}
