//! The end of tokens and of secrets.

use super::choose::{Selector, TokenFilter};
use super::mistake::TokenError;
use super::{TRIES, Tokens};
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
        let revoked = self.change(selector, "revoke", |before, at| {
            let mut token = before.clone();
            match version {
                None => token.revoked_at = token.revoked_at.or(Some(at)),
                Some(version) => {
                    let found = token.secrets.iter_mut().find(|secret| secret.version == version);
                    let no_version = || TokenError::NoVersion { name: before.name.clone(), version };
                    let secret = found.ok_or_else(no_version)?;
                    secret.revoked_at = secret.revoked_at.or(Some(at));
                }
            }
            Ok(((token != *before).then_some(token), ()))
        });
        revoked.await.map(|(token, ())| token)
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
                Err(StoreError::Conflict) if tries < TRIES => tries += 1,
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
