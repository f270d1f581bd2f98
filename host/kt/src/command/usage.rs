//! `kt usage`.

use cedargate::model::Timestamp;
use cedargate_tokens::{Selector, Token, UsageCount, Window};
use clap::Args;
use serde::Serialize;

use crate::answer::Answer;
use crate::clean::clean;
use crate::format::Format;
use crate::stdout;
use crate::store::{StoreArg, block_on};
use crate::token::output::OutputArg;
use crate::token::pretty;
use crate::token::shown::seconds;
use crate::token::table::table;

/// Hours before the present one that count as the last 24.
const HOURS_BEFORE: i64 = 23;

const HOUR_MS: i64 = 3_600_000;

/// Billionths of a dollar in a hundredth of a cent.
const NANOS: u64 = 100_000;

const AFTER_HELP: &str = "\
Requests that were denied are counted together as `(denied)`, those for models that the configuration of the gateway does
not name, where a provider takes any, as `(unlisted)`. The last 24 hours are the present hour and the 23 before
it. Counts are at most a second old.

Examples:
  kt usage app-production
  kt usage --id tok_4f0Zq... --format json";

/// Shows what a token was used for.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Usage {
    /// The name of the token.
    #[arg(value_name = "NAME", required_unless_present = "id", conflicts_with = "id")]
    name: Option<String>,
    /// The id of the token.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

#[derive(Serialize)]
struct Used<'a> {
    v: u8,
    id: &'a str,
    name: &'a str,
    total_requests: u64,
    last_used_at: Option<String>,
    requests_24h: u64,
    errors: u64,
    error_rate: f64,
    tokens_in: u64,
    tokens_out: u64,
    cost_usd: String,
    models: Vec<OfModel<'a>>,
}

#[derive(Serialize)]
struct OfModel<'a> {
    model: &'a str,
    requests: u64,
    errors: u64,
    tokens_in: u64,
    tokens_out: u64,
    cost_usd: String,
}

impl Usage {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let selector = match (self.id, self.name) {
            (Some(id), _) => Selector::Id(id),
            (None, name) => Selector::Name(name.unwrap_or_default()),
        };
        block_on(async {
            let opened = self.store.open().await?;
            let token = opened.tokens.find(&selector).await?;
            let hour = Window::Hour.start(opened.now()).as_millis();
            let day = Timestamp::from_millis(hour.saturating_sub(HOURS_BEFORE * HOUR_MS));
            let of_day = opened.store.usage(&token.id, day).await?;
            let ever = opened.store.usage(&token.id, Timestamp::from_millis(0)).await?;
            let used = Used::new(&token, &ever, &of_day);
            match self.output.format {
                Format::Json => stdout::print(&pretty::one_line(&used)?)?,
                Format::Text => stdout::print(&used.words())?,
            }
            Ok(Answer::Yes)
        })
    }
}

impl<'a> Used<'a> {
    fn new(token: &'a Token, ever: &'a [(String, UsageCount)], of_day: &[(String, UsageCount)]) -> Self {
        let sum = |counts: &[(String, UsageCount)]| {
            counts.iter().fold(UsageCount::default(), |mut sum, (_, count)| {
                sum.add(count);
                sum
            })
        };
        let total = sum(ever);
        Self {
            v: 1,
            id: &token.id,
            name: &token.name,
            total_requests: total.requests,
            last_used_at: token.last_used_at.map(seconds),
            requests_24h: sum(of_day).requests,
            errors: total.errors,
            error_rate: share(total.errors, total.requests),
            tokens_in: total.tokens_in,
            tokens_out: total.tokens_out,
            cost_usd: dollars(total.cost_nanos),
            models: ever.iter().map(|(model, count)| OfModel::new(model, count)).collect(),
        }
    }

    fn words(&self) -> String {
        let last = self.last_used_at.as_deref().unwrap_or("never");
        let head = [
            ("Name", clean(self.name).into_owned()),
            ("Total requests", self.total_requests.to_string()),
            ("Last used", last.to_owned()),
            ("Requests (24h)", self.requests_24h.to_string()),
            ("Error rate", format!("{:.1}%", self.error_rate * 100.0)),
        ];
        let mut words = head.map(|(name, value)| format!("{name}: {value}")).join("\n");
        if !self.models.is_empty() {
            let rows: Vec<_> = self.models.iter().map(OfModel::row).collect();
            words.push_str("\n\n");
            words.push_str(&table(["MODEL", "REQUESTS", "ERRORS", "TOKENS IN", "TOKENS OUT", "COST (USD)"], &rows));
        }
        words
    }
}

impl<'a> OfModel<'a> {
    fn new(model: &'a str, count: &UsageCount) -> Self {
        let UsageCount { requests, errors, tokens_in, tokens_out, cost_nanos } = *count;
        Self { model, requests, errors, tokens_in, tokens_out, cost_usd: dollars(cost_nanos) }
    }

    fn row(&self) -> [String; 6] {
        let numbers = [self.requests, self.errors, self.tokens_in, self.tokens_out].map(|number| number.to_string());
        let [requests, errors, tokens_in, tokens_out] = numbers;
        [self.model.to_owned(), requests, errors, tokens_in, tokens_out, self.cost_usd.clone()]
    }
}

/// A share of a whole, to four decimals.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    // Counts lie far below 2⁵³, where every whole number has a float of its own.
    #[expect(clippy::cast_precision_loss, reason = "counts lie below 2^53")]
    let share = part as f64 / whole as f64;
    (share * 10_000.0).round() / 10_000.0
}

/// Dollars to a hundredth of a cent.
fn dollars(nanos: u64) -> String {
    let rounded = nanos.saturating_add(NANOS / 2) / NANOS;
    format!("{}.{:04}", rounded / 10_000, rounded % 10_000)
}
