//! What is known of a secret.

use std::sync::{Arc, OnceLock};

use cedargate::model::{Profile, Timestamp};

use crate::store::{StoreError, StoredSecret};
use crate::token::{Allowance, Grant, SecretState, Status, state};

/// A secret and the token that it stands for. A changed token has other entries, so whatever was derived from one
/// is as good as the entry that a look-up returns.
#[derive(Debug)]
pub struct Entry<P> {
    token_id: Arc<str>,
    name: Arc<str>,
    team_id: Option<Arc<str>>,
    grant: Box<str>,
    allowances: Box<[Allowance]>,
    state: SecretState,
    version: u32,
    revision: i64,
    prepared: OnceLock<P>,
}

impl<P> Entry<P> {
    pub(super) fn new(secret: StoredSecret) -> Result<Self, StoreError> {
        let StoredSecret { hash: _, version, token_id, name, team_id, grant, allowances, .. } = secret;
        let allowances = match allowances {
            Some(text) => serde_json::from_str::<Vec<Allowance>>(&text).map_err(StoreError::invalid)?,
            None => Vec::new(),
        };
        Ok(Self {
            token_id: token_id.into(),
            name: name.into(),
            team_id: team_id.map(Into::into),
            grant: grant.into(),
            allowances: allowances.into(),
            state: state(secret.disabled, secret.revoked, secret.grace_until),
            version,
            revision: secret.revision,
            prepared: OnceLock::new(),
        })
    }

    /// The same, revoked, and as at another revision.
    pub(super) fn revoked(&self, revision: i64) -> Self {
        Self {
            token_id: Arc::clone(&self.token_id),
            name: Arc::clone(&self.name),
            team_id: self.team_id.clone(),
            grant: self.grant.clone(),
            allowances: self.allowances.clone(),
            state: state(false, true, self.state.grace_until),
            version: self.version,
            revision,
            prepared: OnceLock::new(),
        }
    }

    /// The stable id of the token.
    #[must_use]
    pub fn token_id(&self) -> &Arc<str> {
        &self.token_id
    }

    /// The name of the token.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The team that the token's traffic belongs to.
    #[must_use]
    pub fn team_id(&self) -> Option<&Arc<str>> {
        self.team_id.as_ref()
    }

    /// Budgets and rates of the token.
    #[must_use]
    pub fn allowances(&self) -> &[Allowance] {
        &self.allowances
    }

    /// Which of the token's secrets this is.
    #[must_use]
    pub fn secret_version(&self) -> u32 {
        self.version
    }

    /// The revision of the token: another with every change of it.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The state of the secret as far as it does not depend on the time: `active`, `in_grace`, `disabled` or
    /// `revoked`.
    #[must_use]
    pub fn status(&self) -> Status {
        self.state.status
    }

    /// The end of the grace period of a superseded secret.
    #[must_use]
    pub fn grace_until(&self) -> Option<Timestamp> {
        self.state.grace_until
    }

    /// Whether the token may carry attributes. One that is named so in its lists counts, too.
    pub(super) fn has_attributes(&self) -> bool {
        self.grant.contains("\"attributes\"")
    }

    /// The profile that decisions about this secret are made from.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] where the store holds something that is no profile: deny with 503.
    pub fn profile(&self) -> Result<Profile, StoreError> {
        let grant: Grant = serde_json::from_str(&self.grant).map_err(StoreError::invalid)?;
        Ok(grant.profile(&self.token_id, &self.name, &self.allowances, self.state))
    }

    /// What a host prepared for this entry, prepared now where it was not before. What fails is tried again at the
    /// next call.
    ///
    /// # Errors
    ///
    /// Those of `prepare`.
    pub fn prepared<E>(&self, prepare: impl FnOnce(&Self) -> Result<P, E>) -> Result<&P, E> {
        if let Some(prepared) = self.prepared.get() {
            return Ok(prepared);
        }
        let value = prepare(self)?;
        // Where another thread was faster, both prepared the same.
        Ok(self.prepared.get_or_init(|| value))
    }
}
