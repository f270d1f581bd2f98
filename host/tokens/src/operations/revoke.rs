//! The end of tokens and of secrets.

use cedargate::model::Timestamp;

use super::Tokens;
use super::choose::{Selector, TokenFilter};
use super::mistake::TokenError;
use super::plan::{Flaw, Plan, Step, TRIES_MAX};
use crate::store::{Change, StoreError};
use crate::token::Token;

/// Tokens that are revoked at once: one transaction holds them all.
pub const BULK_MAX: usize = 10_000;

/// Which tokens to revoke.
#[derive(Clone, Debug)]
pub enum Choice {
    /// These.
    Named(Vec<Selector>),
    /// All that match and are not revoked yet.
    Matching(TokenFilter),
}

impl Tokens {
    /// Ends a token with all its secrets, or one of its secrets, at once and for ever. Requests that were admitted
    /// go on. What has ended stays ended.
    ///
    /// # Errors
    ///
    /// [`TokenError`], among others [`TokenError::NoVersion`].
    pub async fn revoke(&self, selector: &Selector, version: Option<u32>) -> Result<Token, TokenError> {
        self.change(selector, |before, at| self.plan_revoke(before, version, at)).await
    }

    /// What would come of ending a token, or one of its secrets, at this time.
    #[must_use]
    pub fn plan_revoke(&self, before: Token, version: Option<u32>, at: Timestamp) -> Plan {
        let has = |version: &u32| before.secrets.iter().any(|secret| secret.version == *version);
        let flaw = version.filter(|version| !has(version)).map(Flaw::NoVersion);
        let ended = |token: &mut Token, at| match version {
            None => token.revoked_at = token.revoked_at.or(Some(at)),
            Some(version) => {
                for secret in token.secrets.iter_mut().filter(|secret| secret.version == version) {
                    secret.revoked_at = secret.revoked_at.or(Some(at));
                }
            }
        };
        Plan::new(Step::Revoke, at, before).changed(ended).flawed(flaw)
    }

    /// Ends many tokens, all or none, and returns those that were not revoked before. With `dry_run`, only says
    /// which those would be.
    ///
    /// # Errors
    ///
    /// [`TokenError`], among others [`TokenError::NotFound`] for any that is named, and [`TokenError::TooMany`]
    /// for more than [`BULK_MAX`].
    pub async fn revoke_many(&self, choice: &Choice, dry_run: bool) -> Result<Vec<Token>, TokenError> {
        let mut tries = 0;
        loop {
            let chosen = self.to_revoke(choice).await?;
            if dry_run {
                return Ok(chosen);
            }
            let at = self.now();
            let changes = chosen.into_iter().map(|before| Change {
                action: "revoke",
                after: Token { revoked_at: Some(at), ..before.clone() },
                before: Some(before),
            });
            match self.commit(at, changes.collect()).await {
                // Somebody changed one of them at the same time: it is ended all the same.
                Err(StoreError::Conflict) if tries < TRIES_MAX => tries += 1,
                revoked => return Ok(revoked?),
            }
        }
    }

    async fn to_revoke(&self, choice: &Choice) -> Result<Vec<Token>, TokenError> {
        let mut chosen = match choice {
            Choice::Named(selectors) => {
                let mut tokens: Vec<Token> = Vec::with_capacity(selectors.len());
                for selector in selectors {
                    let token = self.find(selector).await?;
                    if !tokens.iter().any(|known| known.id == token.id) {
                        tokens.push(token);
                    }
                }
                tokens
            }
            Choice::Matching(filter) => {
                let mut tokens: Vec<Token> = Vec::new();
                let mut after = Some(0);
                while let Some(place) = after
                    && tokens.len() <= BULK_MAX
                {
                    let (page, next) = self.page(filter, place).await?;
                    tokens.extend(page.into_iter().filter(|token| token.revoked_at.is_none()));
                    after = next;
                }
                tokens
            }
        };
        chosen.retain(|token| token.revoked_at.is_none());
        match chosen.len() {
            0..=BULK_MAX => Ok(chosen),
            found => Err(TokenError::TooMany { what: "or more tokens to revoke", found, max: BULK_MAX }),
        }
    }
}
