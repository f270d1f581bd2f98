//! Which tokens are meant.

use std::fmt;

use cedargate::model::Timestamp;

use super::mistake::TokenError;
use super::{Tokens, check};
use crate::period::Period;
use crate::period::PeriodError;
use crate::token::{Label, Status, Token, UnknownLabel, UnknownStatus};

/// Tokens that are fetched at a time.
const PAGE_TOKENS: u32 = 1_000;

/// Tokens of one name that are named in an error.
const AMBIGUOUS_MAX: u32 = 5;

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The live token of this name; where there is none, the only one that ever had it.
    Name(String),
    /// The token with this id.
    Id(String),
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, text) = match self {
            Self::Name(name) => ("name", name),
            Self::Id(id) => ("id", id),
        };
        write!(f, "{what} `{}`", check::shown(text))
    }
}

/// Conditions that a token must meet, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenFilter {
    /// Its name; with `*` at the end, the beginning of its name.
    pub name: Option<String>,
    /// Its label.
    pub label: Option<Label>,
    /// Its status.
    pub status: Option<Status>,
    /// Its team.
    pub team: Option<String>,
    /// Its purpose.
    pub purpose: Option<String>,
    /// Not used for so long, nor made in that time.
    pub unused_for: Option<Period>,
    /// Expires within that time, or has expired.
    pub expires_within: Option<Period>,
}

/// The text is not a filter of tokens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFilterError {
    /// There is no such condition.
    #[error(transparent)]
    Condition(#[from] UnknownFilter),
    /// The value is not a label.
    #[error(transparent)]
    Label(#[from] UnknownLabel),
    /// The value is not a status.
    #[error(transparent)]
    Status(#[from] UnknownStatus),
    /// The value is not a period.
    #[error(transparent)]
    Period(#[from] PeriodError),
}

/// There is no such condition.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a filter of tokens: write `FIELD=VALUE` with one of name (`ci-*` for a beginning), type, status, team, purpose, unused_for (`30d`), expires_within"
)]
pub struct UnknownFilter(String);

impl TokenFilter {
    /// Adds a condition `FIELD=VALUE`.
    ///
    /// # Errors
    ///
    /// [`TokenFilterError`].
    pub fn add(&mut self, condition: &str) -> Result<(), TokenFilterError> {
        let wrong = || UnknownFilter(condition.chars().take(64).flat_map(char::escape_debug).collect());
        let (field, value) = condition.split_once('=').ok_or_else(wrong)?;
        match field.trim() {
            "name" => self.name = Some(value.to_owned()),
            "type" => self.label = Some(value.parse()?),
            "status" => self.status = Some(value.parse()?),
            "team" => self.team = Some(value.to_owned()),
            "purpose" => self.purpose = Some(value.to_owned()),
            "unused_for" => self.unused_for = Some(value.parse()?),
            "expires_within" => self.expires_within = Some(value.parse()?),
            _ => return Err(wrong().into()),
        }
        Ok(())
    }

    /// Whether there is no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a token meets every condition.
    #[must_use]
    pub fn matches(&self, token: &Token, at: Timestamp) -> bool {
        let Self { name, label, status, team, purpose, unused_for, expires_within } = self;
        let named = name.as_deref().is_none_or(|name| match name.strip_suffix('*') {
            Some(beginning) => token.name.starts_with(beginning),
            None => token.name == name,
        });
        let unused = unused_for.is_none_or(|period| {
            let since = token.last_used_at.unwrap_or(token.created_at);
            since.as_millis().saturating_add(period.millis()) <= at.as_millis()
        });
        let expires = expires_within.is_none_or(|period| {
            let until = at.as_millis().saturating_add(period.millis());
            token.grant.expires_at.is_some_and(|expires_at| expires_at.as_millis() <= until)
        });
        named
            && unused
            && expires
            && label.is_none_or(|label| token.label == Some(label))
            && status.is_none_or(|status| token.status(at) == status)
            && team.as_deref().is_none_or(|team| token.grant.team_id.as_deref() == Some(team))
            && purpose.as_deref().is_none_or(|purpose| token.grant.purpose == purpose)
    }
}

impl Tokens {
    /// The token that is meant.
    ///
    /// # Errors
    ///
    /// [`TokenError::NotFound`]; [`TokenError::Ambiguous`]; [`TokenError::Store`].
    pub async fn find(&self, selector: &Selector) -> Result<Token, TokenError> {
        let not_found = || TokenError::NotFound(selector.clone());
        let name = match selector {
            Selector::Id(id) => return self.store.token_by_id(id).await?.ok_or_else(not_found),
            Selector::Name(name) => name,
        };
        let at = self.now();
        let mut found = self.store.tokens_by_name(name, AMBIGUOUS_MAX).await?;
        if let Some(live) = found.iter().position(|token| token.is_live(at)) {
            return Ok(found.swap_remove(live));
        }
        match (found.pop(), found.is_empty()) {
            (None, _) => Err(not_found()),
            (Some(only), true) => Ok(only),
            (Some(other), false) => {
                found.push(other);
                Err(TokenError::Ambiguous {
                    name: name.clone(),
                    ids: found.into_iter().map(|token| token.id).collect(),
                })
            }
        }
    }

    /// Some tokens that match, in the order in which they were made, and the place to go on after; 0 is the
    /// beginning. There may be none of them although others follow.
    ///
    /// # Errors
    ///
    /// [`TokenError::Store`].
    pub async fn page(&self, filter: &TokenFilter, after: i64) -> Result<(Vec<Token>, Option<i64>), TokenError> {
        let at = self.now();
        let page = self.store.tokens(after, PAGE_TOKENS).await?;
        let mut tokens = page.tokens;
        tokens.retain(|token| filter.matches(token, at));
        Ok((tokens, page.next))
    }

    /// The place of the token with this id, for [`page`](Self::page).
    ///
    /// # Errors
    ///
    /// [`TokenError::Store`].
    pub async fn place(&self, id: &str) -> Result<Option<i64>, TokenError> {
        Ok(self.store.token_place(id).await?)
    }

    /// All tokens that match, in the order in which they were made, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`TokenError::Store`].
    pub async fn matching(&self, filter: &TokenFilter, limit: usize) -> Result<Vec<Token>, TokenError> {
        let mut matching = Vec::new();
        let mut after = Some(0);
        while let Some(place) = after
            && matching.len() < limit
        {
            let (tokens, next) = self.page(filter, place).await?;
            matching.extend(tokens);
            after = next;
        }
        matching.truncate(limit);
        Ok(matching)
    }
}
