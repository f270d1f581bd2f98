//! Fields of a body by which a server behind could be led elsewhere, or to another bill.

/// Names by which routers and providers take a model beside `model`, a server, an account or a price. A request with
/// one of them is refused, unless every provider that it could go to is said to take that field.
///
/// Case and the marks between words make no difference: `apiBase` is `api_base`.
pub const ROUTING_FIELDS: [&str; 73] = [
    "api_base",
    "api_key",
    "api_type",
    "aws_access_key_id",
    "aws_bedrock_runtime_endpoint",
    "aws_profile_name",
    "aws_region_name",
    "aws_role_name",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_sts_endpoint",
    "aws_web_identity_token",
    "azure_ad_token",
    "azure_endpoint",
    "base_model",
    "base_url",
    "billing_account",
    "billing_project",
    "content_policy_fallbacks",
    "context_window_fallbacks",
    "custom_llm_provider",
    "data_sources",
    "deployment",
    "deployment_id",
    "deployment_name",
    "endpoint_url",
    "engine",
    "extra_body",
    "extra_headers",
    "extra_query",
    "fallback",
    "fallback_model",
    "fallback_models",
    "fallbacks",
    "headers",
    "inference_geo",
    "inference_profile",
    "labels",
    "litellm_metadata",
    "litellm_params",
    "model_group",
    "model_id",
    "model_list",
    "model_name",
    "models",
    "organization",
    "organization_id",
    "plugins",
    "preset",
    "project",
    "project_id",
    "provider",
    "provider_options",
    "providers",
    "quota_project",
    "quota_user",
    "region",
    "region_name",
    "route",
    "router",
    "router_settings_override",
    "service_tier",
    "specific_deployment",
    "tags",
    "targets",
    "user_config",
    "user_project",
    "vertex_ai_credentials",
    "vertex_ai_location",
    "vertex_ai_project",
    "vertex_credentials",
    "vertex_location",
    "vertex_project",
];

/// The field of [`ROUTING_FIELDS`] that a name is, in whatever case and with whatever marks between its words.
#[must_use]
pub fn routing_field(name: &str) -> Option<&'static str> {
    let bare = |text: &'static str| text.bytes().filter(|byte| *byte != b'_');
    let written =
        || name.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b'.' | b' ')).map(|b| b.to_ascii_lowercase());
    ROUTING_FIELDS.into_iter().find(|field| bare(field).eq(written()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_found_in_every_spelling() {
        assert!(ROUTING_FIELDS.is_sorted());
        for name in ["api_base", "apiBase", "API-BASE", "ApiBase", "apibase", "api.base"] {
            assert_eq!(routing_field(name), Some("api_base"), "{name}");
        }
        for name in ["model", "metadata", "user", "temperature", "", "_", "project_name", "reasoning", "store"] {
            assert_eq!(routing_field(name), None, "{name}");
        }
    }
}
