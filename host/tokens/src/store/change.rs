//! Changes that are made together.

use cedargate::model::Timestamp;

use crate::token::Token;

/// Changes that are made together, all or none.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// When they are made.
    pub at: Timestamp,
    /// Who makes them.
    pub actor: String,
    /// What is changed.
    pub changes: Vec<Change>,
}

impl ChangeSet {
    /// Whether nothing is granted by it: tokens and secrets are revoked and switched off. That is never refused for want
    /// of room, nor for a clock that is wrong.
    #[must_use]
    pub fn only_ends(&self) -> bool {
        self.changes.iter().all(Change::only_ends)
    }
}

/// One token before and after.
#[derive(Clone, Debug)]
pub struct Change {
    /// What is done, in one word.
    pub action: &'static str,
    /// The token before; absent where it is made now. It must be in the store with this very revision.
    pub before: Option<Token>,
    /// The token after. Its revision and its times of use are the store's to say.
    pub after: Token,
}

impl Change {
    /// The revision that the token must be at.
    #[must_use]
    pub fn expected(&self) -> Option<i64> {
        self.before.as_ref().map(|before| before.revision)
    }

    fn only_ends(&self) -> bool {
        let Some(before) = &self.before else { return false };
        let mut ended = before.clone();
        ended.revoked_at = ended.revoked_at.or(self.after.revoked_at);
        ended.disabled_at = ended.disabled_at.or(self.after.disabled_at);
        for (secret, after) in ended.secrets.iter_mut().zip(&self.after.secrets) {
            secret.revoked_at = secret.revoked_at.or(after.revoked_at);
        }
        ended == self.after
    }
}
