//! A list of tokens: of all that match, those that whoever asks may see.
//!
//! Each row is decided. Rules mostly ask for a token's place and purpose alone, and a decision says which fields it
//! rests on: where these are all, it holds for every row with the same values, and thousands of rows cost as many
//! decisions as there are teams. Rows are told by no events: the action was.

use std::collections::HashMap;
use std::sync::Arc;

use cedargate::model::{Request as Facts, Timestamp};
use cedargate::{Decision, Outcome, Principal};
use cedargate_http::reply::{Refusal, Rejection, Unavailable};
use cedargate_tokens::{Selector, Token, TokenError, Tokens};
use http::StatusCode;

use super::answer::{Answer, Failure};
use super::ask::Listing;
use super::decide::Call;
use super::view;
use crate::gateway::Gateway;
use crate::identify::Who;

/// Tokens of one answer at most, some megabytes.
const LIST_TOKENS_MAX: usize = 10_000;

/// Decisions for one answer at most, as far as it holds any token: half a second of a processor, in parts.
const LIST_DECISIONS_MAX: usize = 2_000;

/// Rows that are decided before others have their turn.
const BATCH_ROWS: usize = 256;

/// Fields of a row that [`Kind`] holds, as decisions name them, and whether there is a row at all.
const KIND_FIELDS: [&str; 6] = [
    "current",
    "current.bindings.consumer_group",
    "current.bindings.gateway_id",
    "current.org_id",
    "current.purpose",
    "current.team_id",
];

/// What stands before the names of a row's fields.
const OF_ROW: &str = "current";

/// Place and purpose of a token.
#[derive(PartialEq, Eq, Hash)]
struct Kind {
    org: Option<String>,
    team: Option<String>,
    gateway: Option<String>,
    consumer_group: Option<String>,
    purpose: String,
}

impl Kind {
    fn of(token: &Token) -> Self {
        let grant = &token.grant;
        Self {
            org: grant.org_id.clone(),
            team: grant.team_id.clone(),
            gateway: grant.bindings.gateway_id.clone(),
            consumer_group: grant.bindings.consumer_group.clone(),
            purpose: grant.purpose.clone(),
        }
    }
}

/// What is known of the rows of a kind.
#[derive(Clone, Copy)]
enum Known {
    /// All of them are seen, or none.
    All(bool),
    /// Each is another matter.
    Each,
}

/// Decides rows.
struct Rows<'a> {
    gateway: &'a Gateway,
    principal: &'a Principal,
    /// What is asked, but for the row.
    facts: &'a Facts,
    at: Timestamp,
    known: HashMap<Kind, Known>,
    decisions: usize,
}

impl Gateway {
    /// Lists tokens, once the action itself was admitted.
    pub(super) async fn list(
        &self,
        who: &Who,
        call: &Call<'_>,
        tokens: &Tokens,
        listing: &Listing,
        at: Timestamp,
    ) -> Result<Answer, Failure> {
        let mut rows = Rows {
            gateway: self,
            principal: &who.prepared.principal,
            facts: &call.facts,
            at,
            known: HashMap::new(),
            decisions: 0,
        };
        let mut place = match &listing.after {
            Some(id) => Some(rows.place(tokens, id).await?),
            None => Some(0),
        };
        let mut seen: Vec<Token> = Vec::new();
        let mut has_more = false;
        'pages: while let Some(after) = place {
            let (page, next) = tokens.page(&listing.filter, after).await?;
            place = next;
            let mut rest = page.into_iter().peekable();
            while rest.peek().is_some() {
                if rows.decisions >= LIST_DECISIONS_MAX && !seen.is_empty() {
                    has_more = true;
                    break 'pages;
                }
                let batch: Vec<Token> = rest.by_ref().take(rows.batch()).collect();
                let visible = rows.decide(&batch)?;
                seen.extend(batch.into_iter().zip(visible).filter_map(|(token, visible)| visible.then_some(token)));
                if seen.len() > LIST_TOKENS_MAX {
                    seen.truncate(LIST_TOKENS_MAX);
                    has_more = true;
                    break 'pages;
                }
                tokio::task::yield_now().await;
            }
        }
        Ok(Answer::new(StatusCode::OK, view::list(&seen, has_more, at)))
    }
}

impl Rows<'_> {
    /// The place of a token that is seen. One that is not is told from one that is not there by nothing.
    async fn place(&mut self, tokens: &Tokens, id: &str) -> Result<i64, Failure> {
        let unseen = || Failure::unreadable("`after` is the id of no token that you see: begin without it");
        let token = match tokens.find(&Selector::Id(id.to_owned())).await {
            Ok(token) => token,
            Err(TokenError::NotFound(_)) => return Err(unseen()),
            Err(error) => return Err(error.into()),
        };
        match self.decide(&[token])?.first() {
            Some(true) => tokens.place(id).await?.ok_or_else(unseen),
            Some(false) | None => Err(unseen()),
        }
    }

    /// How many rows are decided next: no more than there are decisions left, and where nothing was seen so far,
    /// others follow.
    fn batch(&self) -> usize {
        match LIST_DECISIONS_MAX.saturating_sub(self.decisions) {
            0 => BATCH_ROWS,
            left => left.min(BATCH_ROWS),
        }
    }

    /// Says of each token whether it is seen.
    fn decide(&mut self, tokens: &[Token]) -> Result<Vec<bool>, Rejection> {
        if self.known.len() > LIST_DECISIONS_MAX {
            self.known.clear();
        }
        let mut seen: Vec<Option<bool>> = vec![None; tokens.len()];
        // The first of each kind that is not known yet.
        let mut new: HashMap<Kind, usize> = HashMap::new();
        for (n, token) in tokens.iter().enumerate() {
            let kind = Kind::of(token);
            if !self.known.contains_key(&kind) {
                new.entry(kind).or_insert(n);
            }
        }
        let firsts: Vec<(Kind, usize)> = new.into_iter().collect();
        let asked: Vec<&Token> = firsts.iter().filter_map(|(_, n)| tokens.get(*n)).collect();
        for ((kind, n), decision) in firsts.into_iter().zip(self.ask(&asked)) {
            let is_seen = is_seen(&decision)?;
            if let Some(slot) = seen.get_mut(n) {
                *slot = Some(is_seen);
            }
            let known = if self.is_of_kind(&decision) { Known::All(is_seen) } else { Known::Each };
            self.known.insert(kind, known);
        }
        let mut each = Vec::new();
        for (n, (token, slot)) in tokens.iter().zip(&mut seen).enumerate() {
            match self.known.get(&Kind::of(token)) {
                Some(Known::All(is_seen)) => *slot = Some(*is_seen),
                Some(Known::Each) | None if slot.is_none() => each.push((n, token)),
                Some(Known::Each) | None => {}
            }
        }
        let asked: Vec<&Token> = each.iter().map(|(_, token)| *token).collect();
        for ((n, _), decision) in each.iter().zip(self.ask(&asked)) {
            if let Some(slot) = seen.get_mut(*n) {
                *slot = Some(is_seen(&decision)?);
            }
        }
        Ok(seen.into_iter().map(|slot| slot == Some(true)).collect())
    }

    fn ask(&mut self, tokens: &[&Token]) -> Vec<Decision> {
        let requests: Vec<Facts> = tokens
            .iter()
            .map(|token| {
                let mut facts = self.facts.clone();
                facts.current = Some(token.small_facts());
                facts
            })
            .collect();
        self.decisions = self.decisions.saturating_add(requests.len());
        self.gateway.pdp.decide_many(self.principal, &requests, self.at)
    }

    /// Whether a decision holds for all rows of the kind. Where it does not, the log says once for each policy set why
    /// lists are slow.
    fn is_of_kind(&self, decision: &Decision) -> bool {
        let others: Vec<&str> =
            decision.reads().filter(|field| field.starts_with(OF_ROW) && !KIND_FIELDS.contains(field)).collect();
        if others.is_empty() {
            return true;
        }
        let set = decision.policy_set();
        let told = self.gateway.costly_lists.load();
        if told.as_ref().is_none_or(|told| told.as_str() != set) {
            self.gateway.costly_lists.store(Some(Arc::new(set.to_owned())));
            tracing::warn!(
                policy_set = set,
                fields = others.join(", "),
                "the policies ask for more of listed tokens than place and purpose: each token of a list is decided by itself"
            );
        }
        false
    }
}

/// Whether a row is seen.
fn is_seen(decision: &Decision) -> Result<bool, Rejection> {
    match decision.outcome() {
        Outcome::Allowed => Ok(true),
        Outcome::Forbidden | Outcome::NotPermitted | Outcome::Throttled => Ok(false),
        Outcome::RequestInvalid => {
            tracing::error!("a token of the store cannot be read by the policies, and so not be listed");
            Err(Refusal::Unavailable(Unavailable::Principal).into())
        }
        Outcome::Unavailable | Outcome::PolicyError | Outcome::Unauthenticated => {
            decision.clone().into_result().map(|_permit| true).map_err(Rejection::from)
        }
        _ => Err(Refusal::Unavailable(Unavailable::Principal).into()),
    }
}
