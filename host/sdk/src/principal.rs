//! A principal: data with a version.

use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::decision::Ruling;

/// A token's profile that the component accepted.
///
/// It is data, not a handle: cheap to clone, good on any thread, and good after a reload, when each instance
/// prepares it anew. Its version is the digest of its text, so a changed profile is another principal.
#[derive(Clone)]
pub struct Principal {
    data: Arc<Data>,
}

struct Data {
    key: PrincipalKey,
    id: String,
    profile: String,
    /// What was ruled last. Most requests of one principal are ruled alike.
    ruling: ArcSwapOption<Ruling>,
}

impl Principal {
    pub(crate) fn new(profile: String) -> Self {
        #[derive(Deserialize)]
        struct Named {
            id: String,
        }
        // Only for logs: what the text means is the component's to say.
        let id = serde_json::from_str::<Named>(&profile).map(|named| named.id).unwrap_or_default();
        let key = PrincipalKey { digest: Sha256::digest(profile.as_bytes()).into() };
        Self { data: Arc::new(Data { key, id, profile, ruling: ArcSwapOption::empty() }) }
    }

    /// The id of the token.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.data.id
    }

    /// The profile as the record's JSON text.
    #[must_use]
    pub fn profile(&self) -> &str {
        &self.data.profile
    }

    pub(crate) fn key(&self) -> &PrincipalKey {
        &self.data.key
    }
}

/// Has decisions about one principal that are ruled alike share one object.
pub(crate) struct Rulings<'a> {
    principal: &'a Principal,
    last: Option<Arc<Ruling>>,
}

impl<'a> Rulings<'a> {
    /// Begins with what was ruled last.
    pub(crate) fn of(principal: &'a Principal) -> Self {
        Self { principal, last: principal.data.ruling.load_full() }
    }

    /// The one object for a ruling, where the last one was equal.
    pub(crate) fn share(&mut self, ruling: Ruling) -> Arc<Ruling> {
        match &self.last {
            Some(last) if last.is_same(&ruling) => Arc::clone(last),
            _ => {
                let ruling = Arc::new(ruling);
                self.principal.data.ruling.store(Some(Arc::clone(&ruling)));
                self.last = Some(Arc::clone(&ruling));
                ruling
            }
        }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").field("id", &self.data.id).finish_non_exhaustive()
    }
}

/// The version of a principal: the SHA-256 of its profile's text. Compared whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PrincipalKey {
    pub(crate) digest: [u8; 32],
}

impl Hash for PrincipalKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.digest);
    }
}

/// Takes eight bytes of a digest as they are: they are spread well already, and nobody can choose them.
#[derive(Default)]
pub(crate) struct DigestHasher {
    hash: u64,
}

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.hash = u64::from_le_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

pub(crate) type PrincipalKeyHasher = BuildHasherDefault<DigestHasher>;
