//! Who asks: from the credential to a principal.

use std::net::IpAddr;
use std::sync::Arc;

use cedargate_http::credential::{self, Credential};
use cedargate_http::reply::{Refusal, Unavailable};
use cedargate_tokens::{Entry, Lookup, Presented, SecretHash};
use http::request::Parts;

use crate::config::ProviderKey;
use crate::gateway::Gateway;
use crate::live::Live;
use crate::principals::{Prepared, Slot};

/// Somebody who is known.
pub(crate) struct Who {
    pub(crate) prepared: Arc<Prepared>,
    /// The token; absent for a provider's key.
    pub(crate) entry: Option<Arc<Entry<Slot>>>,
}

/// A provider's key that is passed through.
pub(crate) struct OwnKey {
    pub(crate) provider: Arc<str>,
    pub(crate) key: ProviderKey,
}

/// Who asks, and what was presented.
pub(crate) struct Identity {
    pub(crate) who: Who,
    pub(crate) own_key: Option<OwnKey>,
    /// What was presented: no header carries it on.
    pub(crate) credential: Credential,
    hash: SecretHash,
    /// The state of the directory in which the hash was looked up.
    seen: u64,
}

impl Gateway {
    /// Who presents the credential of a request.
    ///
    /// A secret that is not known is looked for in the store before it is called unknown, on behalf of `client`. The
    /// keys of a provider that lets clients present theirs are not: whoever has one has it from there.
    pub(crate) async fn identify(&self, live: &Live, parts: &Parts, client: IpAddr) -> Result<Identity, Refusal> {
        let credential = credential::present(parts)?;
        let presented = Presented::parse(credential.expose()).map_err(|_| Refusal::TokenMalformed)?;
        let hash = presented.hash();
        let seen = self.directory.changes();
        let mut found = self.directory.look_up(&hash);
        if matches!(found, Lookup::Unknown) {
            let provider = live.prefixes.provider(credential.expose()).filter(|_| !presented.is_ours());
            if let Some(provider) = provider {
                return self.provider_key(live, provider, credential, hash, seen);
            }
            found = self.directory.look_again(&hash, client).await;
        }
        match found {
            Lookup::Found(entry) => Ok(Identity { who: self.token(entry)?, own_key: None, credential, hash, seen }),
            Lookup::Unavailable => Err(Refusal::Unavailable(Unavailable::TokenStore)),
            Lookup::Unknown => Err(Refusal::TokenUnknown),
        }
    }

    /// The same, after the time that a body took: what was revoked meanwhile is revoked. Says whether it is another.
    pub(crate) fn identify_again(&self, identity: &mut Identity) -> Result<bool, Refusal> {
        if self.directory.is_available() && self.directory.changes() == identity.seen {
            return Ok(false);
        }
        let Some(entry) = &identity.who.entry else {
            // A provider's key may have been imported, and ended, meanwhile.
            return match self.directory.look_up(&identity.hash) {
                Lookup::Unknown => Ok(false),
                Lookup::Found(_) => Err(Refusal::TokenUnknown),
                Lookup::Unavailable => Err(Refusal::Unavailable(Unavailable::TokenStore)),
            };
        };
        match self.directory.look_up(&identity.hash) {
            Lookup::Found(now) if Arc::ptr_eq(&now, entry) => Ok(false),
            Lookup::Found(now) => {
                identity.who = self.token(now)?;
                Ok(true)
            }
            Lookup::Unknown => Err(Refusal::TokenUnknown),
            Lookup::Unavailable => Err(Refusal::Unavailable(Unavailable::TokenStore)),
        }
    }

    fn token(&self, entry: Arc<Entry<Slot>>) -> Result<Who, Refusal> {
        let prepared = self.principals.get(&entry).ok_or(Refusal::Unavailable(Unavailable::Principal))?;
        Ok(Who { prepared, entry: Some(entry) })
    }

    /// A key of a provider that lets clients present theirs. One that was imported as a token is known, ended or not,
    /// and never comes here.
    fn provider_key(
        &self,
        live: &Live,
        provider: &Arc<str>,
        credential: Credential,
        hash: SecretHash,
        seen: u64,
    ) -> Result<Identity, Refusal> {
        let dialect = live.provider(provider).ok_or(Refusal::TokenUnknown)?.dialect;
        let key = ProviderKey::new(credential.expose(), dialect).map_err(|_| Refusal::TokenMalformed)?;
        let prepared = self.provider_keys.get(&self.pdp, &hash, provider);
        let prepared = prepared.ok_or(Refusal::Unavailable(Unavailable::Principal))?;
        let who = Who { prepared, entry: None };
        let own_key = Some(OwnKey { provider: Arc::clone(provider), key });
        Ok(Identity { who, own_key, credential, hash, seen })
    }
}
