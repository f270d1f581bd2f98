//! What an id in a configuration may look like.

use cedargate_http::catalogue::{ID_BYTES_MAX, ModelId, is_provider_id};

/// Whether a model may have this name: something a request can ask for without ambiguity.
pub(super) fn is_model(name: &str) -> bool {
    ModelId::new(name).is_ok()
}

/// Whether a team, a group, a gateway or an organization may have this name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= ID_BYTES_MAX && name.trim() == name && !name.chars().any(char::is_control)
}

/// Whether a token or a team may name models so.
pub(super) fn is_scope(scope: &str) -> bool {
    if let Some(group) = scope.strip_prefix("group:") {
        return is_name(group) && !group.contains('*');
    }
    match scope.split_once('/') {
        Some((provider, "*")) => is_provider_id(provider),
        Some((provider, model)) => is_provider_id(provider) && is_model(model),
        None => is_model(scope),
    }
}
