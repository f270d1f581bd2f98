//! New tokens, and tokens of other systems.

use cedargate::model::Timestamp;

use super::mistake::TokenError;
use super::plan::Draft;
use super::{Tokens, check};
use crate::period::Period;
use crate::secret::{EnvSegment, Prefix, Secret, SecretHash};
use crate::store::Change;
use crate::token::{Allowance, Grant, Label, SecretVersion, Token};

/// A token that is to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name, unique among live tokens.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The older label, which shows in the prefix.
    pub label: Option<Label>,
    /// The segment of the prefix that says where the token is used.
    pub env: EnvSegment,
    /// What it may do.
    pub grant: Grant,
    /// When it expires, counted from now. Takes the place of an expiry in the grant.
    pub expires_in: Option<Period>,
    /// Its budgets and rates.
    pub allowances: Vec<Allowance>,
}

impl NewToken {
    /// A token with a name, and nothing else said.
    pub fn new(name: impl Into<String>, grant: Grant) -> Self {
        Self {
            name: name.into(),
            description: None,
            label: None,
            env: EnvSegment::default(),
            grant,
            expires_in: None,
            allowances: Vec::new(),
        }
    }
}

/// A new token, and its secret for the only time.
#[derive(Clone, Debug)]
pub struct Created {
    /// The token.
    pub token: Token,
    /// Its secret, which is not kept.
    pub secret: Secret,
}

/// A secret that another system made.
#[derive(Clone, Debug)]
pub enum KnownSecret {
    /// The secret itself.
    Secret(Secret),
    /// Its SHA-256.
    Hash(SecretHash),
}

impl Tokens {
    /// Makes a token.
    ///
    /// # Errors
    ///
    /// [`TokenError`], among others [`TokenError::NameInUse`].
    pub async fn create(&self, new: NewToken) -> Result<Created, TokenError> {
        self.create_drafted(self.draft(new, self.now())?).await
    }

    /// Makes the token of a draft, at the time that it was drafted for.
    ///
    /// # Errors
    ///
    /// [`TokenError`], among others [`TokenError::NameInUse`].
    pub async fn create_drafted(&self, draft: Draft) -> Result<Created, TokenError> {
        let secret = Secret::generate(&Prefix { label: draft.token.label, env: draft.env.clone() })?;
        let token = self.add(draft, "create", secret.hash(), secret.public_part().to_owned()).await?;
        Ok(Created { token, secret })
    }

    /// Makes a token for a secret that somebody has already, so that he needs no new one.
    ///
    /// # Errors
    ///
    /// [`TokenError`], among others [`TokenError::SecretKnown`].
    pub async fn import(&self, new: NewToken, secret: &KnownSecret) -> Result<Token, TokenError> {
        let (hash, public_part) = match secret {
            KnownSecret::Secret(secret) => (secret.hash(), secret.public_part().to_owned()),
            KnownSecret::Hash(hash) => (*hash, hash.public_part()),
        };
        self.add(self.draft(new, self.now())?, "import", hash, public_part).await
    }

    /// The token that would be made at this time: the very one that [`create_drafted`](Self::create_drafted) stores.
    /// Nothing of it is criticised.
    ///
    /// # Errors
    ///
    /// [`TokenError::Generate`] where the system gives no random numbers.
    pub fn draft(&self, new: NewToken, at: Timestamp) -> Result<Draft, TokenError> {
        let NewToken { name, description, label, env, mut grant, expires_in, allowances } = new;
        if let Some(period) = expires_in {
            grant.expires_at = Some(after(at, period));
        }
        let token = Token {
            id: Token::new_id()?,
            name,
            description,
            label,
            grant,
            allowances,
            created_at: at,
            disabled_at: None,
            revoked_at: None,
            secrets: Vec::new(),
            last_used_at: None,
            last_refused_at: None,
            revision: 0,
        };
        Ok(Draft { at, token, env })
    }

    /// What is wrong with a draft, if anything is. A name in use is noticed only when the token is made.
    ///
    /// # Errors
    ///
    /// [`TokenError`], as [`create_drafted`](Self::create_drafted) would give it.
    pub fn check_draft(&self, draft: &Draft) -> Result<(), TokenError> {
        self.rules.check(&draft.token, None, draft.at)
    }

    async fn add(
        &self,
        draft: Draft,
        action: &'static str,
        hash: SecretHash,
        public_part: String,
    ) -> Result<Token, TokenError> {
        self.check_draft(&draft)?;
        let Draft { at, token: mut after, env: _ } = draft;
        after.secrets = vec![SecretVersion::first(hash, public_part, at)];
        let name = after.name.clone();
        let committed = self.commit(at, vec![Change { action, before: None, after }]).await;
        let mut tokens = committed.map_err(|error| TokenError::of_store(error, &name))?;
        tokens.pop().ok_or_else(|| crate::store::StoreError::Conflict.into())
    }
}

/// The end of a period, rounded up to a second. A period of nothing ends where it begins.
pub(super) fn after(at: Timestamp, period: Period) -> Timestamp {
    if period.millis() == 0 {
        return at;
    }
    check::whole_second(Timestamp::from_millis(at.as_millis().saturating_add(period.millis())))
}
