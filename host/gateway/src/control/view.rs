//! Tokens as the control plane shows them: everything but their secrets.

use cedargate::model::Timestamp;
use cedargate_tokens::{Created, Rotated, SecretVersion, Token};
use serde_json::{Map, Value, json};

/// A list, or as much of it as one answer holds: more is had with `?after=` and the id of its last token.
pub(super) fn list(tokens: &[Token], has_more: bool, at: Timestamp) -> Value {
    let data: Vec<_> = tokens.iter().map(|token| self::token(token, at)).collect();
    let last = tokens.last().map(|token| token.id.as_str());
    json!({"object": "list", "data": data, "has_more": has_more, "last_id": last})
}

/// A new token, with its secret for the only time.
pub(super) fn created(created: &Created, at: Timestamp) -> Value {
    with_key(token(&created.token, at), created.secret.expose())
}

/// A token with a new secret.
pub(super) fn rotated(rotated: &Rotated, at: Timestamp) -> Value {
    let mut value = with_key(token(&rotated.token, at), rotated.secret.expose());
    if let (Some(until), Some(fields)) = (rotated.grace_until, value.as_object_mut()) {
        fields.insert("grace_until".to_owned(), until.to_string().into());
    }
    value
}

fn with_key(mut value: Value, key: &str) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.insert("key".to_owned(), key.into());
    }
    value
}

/// A token.
pub(super) fn token(token: &Token, at: Timestamp) -> Value {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    let text = |text: &Option<String>| text.clone().map(Value::from);
    let time = |time: Option<Timestamp>| time.map(|time| Value::from(time.to_string()));
    let bindings = &token.grant.bindings;
    set("object", Some("token".into()));
    set("id", Some(token.id.as_str().into()));
    set("name", Some(token.name.as_str().into()));
    set("description", text(&token.description));
    set("token_type", Some(token.type_name().into()));
    set("purpose", Some(token.grant.purpose.as_str().into()));
    set("principal_type", Some(token.grant.principal_type.as_str().into()));
    set("status", Some(token.status(at).name().into()));
    set("created_at", time(Some(token.created_at)));
    set("not_before", time(token.grant.not_before));
    set("expires_at", time(token.grant.expires_at));
    set("last_used_at", time(token.last_used_at));
    set("last_refused_at", time(token.last_refused_at));
    set("org_id", text(&token.grant.org_id));
    set("team_id", text(&token.grant.team_id));
    set("gateway_id", text(&bindings.gateway_id));
    set("consumer_group", text(&bindings.consumer_group));
    set("allowed_providers", bindings.providers.clone().map(Value::from));
    set("allowed_models", bindings.models.clone().map(Value::from));
    set("scopes", bindings.scopes.clone().map(Value::from));
    set("networks", bindings.networks.clone().map(Value::from));
    let budgets: Vec<String> = token.allowances.iter().map(ToString::to_string).collect();
    set("budgets", (!budgets.is_empty()).then(|| budgets.into()));
    set("attributes", token.grant.attributes.as_ref().and_then(|attributes| serde_json::to_value(attributes).ok()));
    set("secrets", Some(token.secrets.iter().map(|version| secret(token, version, at)).collect()));
    Value::Object(fields)
}

/// One secret of a token, by what may be shown of it.
fn secret(token: &Token, version: &SecretVersion, at: Timestamp) -> Value {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("version", version.version.into());
    set("key", version.public_part.as_str().into());
    set("status", token.secret_status(version, at).name().into());
    let times = [
        ("created_at", Some(version.created_at)),
        ("grace_until", version.grace_until),
        ("revoked_at", version.revoked_at),
        ("last_used_at", version.last_used_at),
        ("last_refused_at", version.last_refused_at),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            set(name, time.to_string().into());
        }
    }
    Value::Object(fields)
}
