//! `kt tokens list`.

use cedargate::model::Timestamp;
use cedargate_tokens::{Status, Token, TokenFilter};
use clap::Args;
use serde::Serialize;

use crate::answer::Answer;
use crate::format::Format;
use crate::stdout;
use crate::store::{StoreArg, block_on};
use crate::token::filter::FilterArg;
use crate::token::grant::TokenType;
use crate::token::output::OutputArg;
use crate::token::pretty;
use crate::token::shown::{Shown, seconds};
use crate::token::table::table;

const AFTER_HELP: &str = "\
Examples:
  kt tokens list
  kt tokens list --type gateway --status active
  kt tokens list --filter team=frontend --filter unused_for=30d --output json";

/// Lists tokens, in the order in which they were made.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct List {
    /// Only tokens of this type.
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    kind: Option<TokenType>,
    /// Only tokens with this status: `active`, `in_grace` (only an older key is left), `disabled`, `revoked`, `expired`.
    #[arg(long)]
    status: Option<Status>,
    #[command(flatten)]
    filter: FilterArg,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

#[derive(Serialize)]
struct Listed<'a> {
    v: u8,
    tokens: Vec<Shown<'a>>,
}

impl List {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let filter = self.filter.parse()?;
        let label = self.kind.map(TokenType::label).or(filter.label);
        let filter = TokenFilter { label, status: self.status.or(filter.status), ..filter };
        block_on(async {
            let opened = self.store.open().await?;
            let tokens = opened.tokens.matching(&filter, usize::MAX).await?;
            let at = opened.now();
            match self.output.format {
                Format::Json => {
                    let tokens = tokens.iter().map(|token| Shown::new(token, at)).collect();
                    stdout::print(&pretty::one_line(&Listed { v: 1, tokens })?)?;
                }
                Format::Text => stdout::print(&words(&tokens, at))?,
            }
            Ok(Answer::Yes)
        })
    }
}

/// A moment as the table shows it, in UTC.
fn short(at: Timestamp) -> String {
    seconds(at).trim_end_matches('Z').to_owned()
}

fn words(tokens: &[Token], at: Timestamp) -> String {
    let row = |token: &Token| {
        [
            token.name.clone(),
            token.type_name().to_owned(),
            short(token.created_at),
            token.grant.expires_at.map_or_else(|| "never".to_owned(), short),
            token.status(at).to_string(),
        ]
    };
    table(["NAME", "TYPE", "CREATED", "EXPIRES", "STATUS"], &tokens.iter().map(row).collect::<Vec<_>>())
}
