//! Which token is meant.

use cedargate_tokens::Selector;
use clap::Args;

/// The options `--name` and `--id`, one of which names a token.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct TokenArg {
    /// The name of the token.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The id of the token, `tok_...`.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

impl TokenArg {
    /// The token that is named.
    pub(crate) fn selector(self) -> Selector {
        match (self.id, self.name) {
            (Some(id), _) => Selector::Id(id),
            (None, name) => Selector::Name(name.unwrap_or_default()),
        }
    }
}
