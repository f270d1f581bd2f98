//! The configuration as it is written. Unknown fields are refused everywhere: a limit that is dropped in silence is
//! a limit that is not enforced.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

pub(super) type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    pub(super) gateway_id: Option<Text>,
    pub(super) org_id: Option<Text>,
    pub(super) policies: Option<String>,
    pub(super) shadow: Option<String>,
    #[serde(default)]
    pub(super) unlocked: bool,
    pub(super) store: Option<String>,
    pub(super) record: Option<String>,
    #[serde(default)]
    pub(super) listeners: Vec<RawListener>,
    pub(super) admin: Option<RawAdmin>,
    pub(super) control: Option<RawControl>,
    #[serde(default)]
    pub(super) tokens: RawTokens,
    #[serde(default)]
    pub(super) events: RawEvents,
    #[serde(default)]
    pub(super) audit: RawAudit,
    #[serde(default)]
    pub(super) providers: BTreeMap<Text, Spanned<RawProvider>>,
    #[serde(default)]
    pub(super) models: Vec<RawModel>,
    #[serde(default)]
    pub(super) aliases: BTreeMap<Text, Vec<Text>>,
    #[serde(default)]
    pub(super) teams: BTreeMap<Text, RawTeam>,
    #[serde(default)]
    pub(super) limits: RawLimits,
    #[serde(default)]
    pub(super) timeouts: RawTimeouts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawListener {
    pub(super) address: Text,
    pub(super) consumer_group: Option<Text>,
    #[serde(default)]
    pub(super) trusted_proxies: Vec<Text>,
    pub(super) connections_per_peer: Option<Spanned<u64>>,
    pub(super) tls: Option<RawTls>,
    #[serde(default)]
    pub(super) routes: Vec<RawRoute>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRoute {
    pub(super) path_prefix: Text,
    pub(super) consumer_group: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAdmin {
    pub(super) address: Option<Text>,
    pub(super) enabled: Option<bool>,
    pub(super) tls: Option<RawTls>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawControl {
    pub(super) address: Text,
    #[serde(default)]
    pub(super) trusted_proxies: Vec<Text>,
    pub(super) tls: Option<RawTls>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    pub(super) cert_file: String,
    pub(super) key_file: String,
    pub(super) client_ca_file: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTokens {
    pub(super) expires_in_max: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEvents {
    pub(super) keep: Option<Spanned<u64>>,
    pub(super) keep_for: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAudit {
    pub(super) syslog: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProvider {
    pub(super) dialect: Text,
    pub(super) base_url: Option<Text>,
    pub(super) key_env: Option<Text>,
    pub(super) key_file: Option<Text>,
    #[serde(default)]
    pub(super) any_model: bool,
    #[serde(default)]
    pub(super) pass_through: Vec<Text>,
    pub(super) ca_file: Option<Text>,
    pub(super) cert_file: Option<Text>,
    pub(super) cert_key_file: Option<Text>,
    pub(super) proxy: Option<Text>,
    pub(super) proxy_auth_env: Option<Text>,
    pub(super) proxy_auth_file: Option<Text>,
    #[serde(default)]
    pub(super) allow_headers: Vec<Text>,
    #[serde(default)]
    pub(super) allow_body_fields: Vec<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawModel {
    pub(super) id: Text,
    pub(super) upstream: Option<Text>,
    #[serde(default)]
    pub(super) groups: Vec<Text>,
    pub(super) max_output_tokens: Option<Spanned<u64>>,
    pub(super) price: Option<Spanned<RawPrice>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPrice {
    pub(super) input: f64,
    pub(super) output: f64,
    pub(super) cached_input: Option<f64>,
    pub(super) request: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTeam {
    pub(super) models: Option<Vec<Text>>,
    pub(super) providers: Option<Vec<Text>>,
    #[serde(default)]
    pub(super) budgets: Vec<Text>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub(super) header_bytes: Option<Spanned<u64>>,
    pub(super) headers: Option<Spanned<u64>>,
    pub(super) body_bytes: Option<Spanned<u64>>,
    pub(super) bodies_bytes: Option<Spanned<u64>>,
    pub(super) connections: Option<Spanned<u64>>,
    pub(super) streams: Option<Spanned<u64>>,
    pub(super) response_bytes: Option<Spanned<u64>>,
    pub(super) record_bytes: Option<Spanned<u64>>,
    pub(super) principals: Option<Spanned<u64>>,
    pub(super) provider_keys: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTimeouts {
    pub(super) header_ms: Option<Spanned<u64>>,
    pub(super) body_ms: Option<Spanned<u64>>,
    pub(super) write_ms: Option<Spanned<u64>>,
    pub(super) reply_ms: Option<Spanned<u64>>,
    pub(super) connect_ms: Option<Spanned<u64>>,
    pub(super) first_byte_ms: Option<Spanned<u64>>,
    pub(super) idle_ms: Option<Spanned<u64>>,
    pub(super) response_ms: Option<Spanned<u64>>,
    pub(super) shutdown_ms: Option<Spanned<u64>>,
    pub(super) decision_ms: Option<Spanned<u64>>,
}
