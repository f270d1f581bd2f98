//! Which of a client's headers a provider gets: those on a list, and no others.

use http::{HeaderMap, HeaderName};

use super::is_private;
use crate::route::Dialect;

/// What every provider may see, whatever it speaks. Those of traces and the request's id are the gateway's own by then.
const COMMON: [&str; 9] = [
    "accept",
    "accept-language",
    "content-type",
    "idempotency-key",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-request-id",
    "x-stainless-*",
];

const OPENAI: [&str; 3] = ["openai-beta", "originator", "x-client-request-id"];

const AZURE: [&str; 4] = ["openai-beta", "x-client-request-id", "x-ms-client-request-id", "x-ms-useragent"];

const ANTHROPIC: [&str; 5] = [
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "anthropic-version",
    "x-app",
    "x-claude-code-session-id",
];

const GEMINI: [&str; 2] = ["x-goog-api-client", "x-server-timeout"];

/// Why a header cannot be put on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotPassed {
    /// It is no header's name.
    #[error("it is no name of a header: write lower-case letters, digits and `-`, and `*` at most at the end")]
    Name,
    /// No provider may see it.
    #[error("it holds a credential, an identity or an address, or is for the next hop alone: it is always removed")]
    Private,
    /// The host sets it itself.
    #[error("the gateway sets it itself")]
    Own,
}

/// The headers that pass to a provider. What is not on the list does not, so that no client can say to whom a request
/// is billed or where a router behind sends it, in whatever header that router reads.
///
/// ```
/// use cedargate_http::hygiene::Passing;
/// use cedargate_http::route::Dialect;
///
/// let mut passing = Passing::of(&[Dialect::OpenAi]);
/// assert!(passing.passes("openai-beta") && !passing.passes("openai-organization"));
/// passing.add("openai-organization")?;
/// assert!(passing.passes("openai-organization"));
/// # Ok::<(), cedargate_http::hygiene::NotPassed>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    names: Vec<Box<str>>,
    /// Whole families: how their names begin.
    families: Vec<Box<str>>,
}

impl Passing {
    /// What real clients of these dialects send, and their providers need.
    #[must_use]
    pub fn of(dialects: &[Dialect]) -> Self {
        let mut passing = Self { names: Vec::new(), families: Vec::new() };
        let of_dialect = |dialect: &Dialect| -> &'static [&'static str] {
            match dialect {
                Dialect::OpenAi => &OPENAI,
                Dialect::Azure => &AZURE,
                Dialect::Anthropic => &ANTHROPIC,
                Dialect::Gemini => &GEMINI,
            }
        };
        for name in COMMON.iter().chain(dialects.iter().flat_map(of_dialect)) {
            passing.push(name);
        }
        passing
    }

    /// Adds a name, or with `*` at its end all that begin so.
    ///
    /// # Errors
    ///
    /// [`NotPassed`] where it can be no header's name, or never passes.
    pub fn add(&mut self, name: &str) -> Result<(), NotPassed> {
        let bare = name.strip_suffix('*').unwrap_or(name);
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if bare.is_empty() || !bare.bytes().all(fits) {
            return Err(NotPassed::Name);
        }
        if is_private(bare) {
            return Err(NotPassed::Private);
        }
        if matches!(name, "host" | "content-length" | "content-encoding" | "accept-encoding") {
            return Err(NotPassed::Own);
        }
        self.push(name);
        Ok(())
    }

    fn push(&mut self, name: &str) {
        match name.strip_suffix('*') {
            Some(beginning) => self.families.push(beginning.into()),
            None => self.names.push(name.into()),
        }
    }

    /// Whether a header passes, by its name in lower case.
    #[must_use]
    pub fn passes(&self, name: &str) -> bool {
        self.names.iter().any(|known| **known == *name)
            || self.families.iter().any(|beginning| name.starts_with(&**beginning))
    }

    /// The headers that pass. Those that do not are named in the log, at the level of debugging.
    #[must_use]
    pub fn select(&self, headers: &HeaderMap) -> HeaderMap {
        // One more is set behind: the provider's credential.
        let mut passed = HeaderMap::with_capacity(headers.keys_len().saturating_add(1));
        for name in headers.keys() {
            if self.passes(name.as_str()) {
                for value in headers.get_all(name) {
                    passed.append(name.clone(), value.clone());
                }
            } else {
                tell(name, "it is not on the list of the provider");
            }
        }
        passed
    }
}

/// Says which header is not sent on, and why.
pub(super) fn tell(name: &HeaderName, cause: &'static str) {
    // A client that writes its token as a name loses its letters' case, and no more than that.
    let shown = if super::leak::holds_own(name.as_str().as_bytes()) { "(masked)" } else { name.as_str() };
    tracing::debug!(header = shown, cause, "a header is not sent on");
}
