//! What a token is bound to, as it is typed.

use cedargate_tokens::Allowance;
use clap::Args;

use super::lists::optional;

/// The options that bind a token.
#[derive(Args, Debug)]
pub(crate) struct BoundArgs {
    /// Models that it may use: `gpt-4o`, `openai/gpt-4o`, `openai/*`, `group:small`.
    #[arg(long, value_name = "MODEL,...")]
    allowed_models: Vec<String>,
    /// Providers that it may use.
    #[arg(long, value_name = "PROVIDER,...")]
    allowed_providers: Vec<String>,
    /// The only gateway that it works at.
    #[arg(long, value_name = "ID")]
    pub(crate) gateway_id: Option<String>,
    /// The team that its traffic belongs to.
    #[arg(long)]
    pub(crate) team: Option<String>,
    /// The only consumer group that it works for.
    #[arg(long, value_name = "GROUP")]
    pub(crate) consumer_group: Option<String>,
    /// Scopes: `read`, `chat`, `full`; of an integration `events.read`, `tokens.*`.
    #[arg(long, value_name = "SCOPE,...")]
    scopes: Vec<String>,
    /// Networks that it may be used from: `10.0.0.0/8`.
    #[arg(long, value_name = "NETWORK,...")]
    networks: Vec<String>,
    /// Budgets and rates: `25.50usd/month`, `1000000tokens/day`, `60requests/minute`.
    #[arg(long, value_name = "BUDGET,...", value_delimiter = ',')]
    pub(crate) budget: Vec<Allowance>,
}

/// The lists among them; what was not typed is absent.
pub(crate) struct Lists {
    pub(crate) models: Option<Vec<String>>,
    pub(crate) providers: Option<Vec<String>>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) networks: Option<Vec<String>>,
}

impl BoundArgs {
    pub(crate) fn lists(&self) -> anyhow::Result<Lists> {
        Ok(Lists {
            models: optional("--allowed-models", &self.allowed_models)?,
            providers: optional("--allowed-providers", &self.allowed_providers)?,
            scopes: optional("--scopes", &self.scopes)?,
            networks: optional("--networks", &self.networks)?,
        })
    }
}
