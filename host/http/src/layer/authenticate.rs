//! Who presents a credential.

use cedargate::Principal;

use crate::credential::Credential;
use crate::reply::Refusal;

/// Looks up who presents a credential. It is asked for each request and must not wait: keep what is looked up in
/// memory.
pub trait Authenticate: Send + Sync {
    /// The principal that presents this credential, whether or not its secret still holds: that is the policies' to
    /// say. `None` where nobody has it.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unavailable`] where it cannot be looked up, which is no reason to call the credential unknown;
    /// [`Refusal::TokenMalformed`] where its form says that it cannot be one.
    fn authenticate(&self, credential: &Credential) -> Result<Option<Principal>, Refusal>;
}

impl<F> Authenticate for F
where
    F: Fn(&Credential) -> Result<Option<Principal>, Refusal> + Send + Sync,
{
    fn authenticate(&self, credential: &Credential) -> Result<Option<Principal>, Refusal> {
        self(credential)
    }
}
