//! Conditions that tokens must meet, as they are typed.

use cedargate_tokens::TokenFilter;
use clap::Args;

/// The option `--filter`.
#[derive(Args, Debug)]
pub(crate) struct FilterArg {
    /// Only tokens of which this is true: `name=ci-*`, `team=frontend`, `purpose=general`, `type=access`,
    /// `status=active`, `unused_for=30d`, `expires_within=7d`. Several must all be true.
    #[arg(long, value_name = "FIELD=VALUE")]
    filter: Vec<String>,
}

impl FilterArg {
    pub(crate) fn is_empty(&self) -> bool {
        self.filter.is_empty()
    }

    pub(crate) fn parse(&self) -> anyhow::Result<TokenFilter> {
        let mut filter = TokenFilter::default();
        for condition in &self.filter {
            filter.add(condition)?;
        }
        Ok(filter)
    }
}
