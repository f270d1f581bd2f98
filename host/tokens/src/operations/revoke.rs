//! The end of tokens and of secrets.

use super::Tokens;
use super::choose::{Selector, TokenFilter};
use super::mistake::TokenError;
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
            Choice::Matching(filter) => self.matching(filter, BULK_MAX + 1).await?,
        };
        chosen.retain(|token| token.revoked_at.is_none());
        if chosen.len() > BULK_MAX {
            return Err(TokenError::TooMany { what: "tokens or more", found: chosen.len(), max: BULK_MAX });
        }
        if dry_run {
            return Ok(chosen);
        }
        let at = self.now();
        let changes = chosen.into_iter().map(|before| Change {
            action: "revoke",
            after: Token { revoked_at: Some(at), ..before.clone() },
            before: Some(before),
        });
        self.commit(at, changes.collect()).await.map_err(|error: StoreError| error.into())
    }
}
