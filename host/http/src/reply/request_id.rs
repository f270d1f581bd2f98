//! The id by which a client and a log speak of the same request.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use http::HeaderValue;

/// The longest id, in bytes: those of tracing systems are shorter.
const BYTES_MAX: usize = 128;

/// Differs from process to process, so that ids of two gateways do not meet.
static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));

static COUNT: AtomicU64 = AtomicU64::new(0);

/// The id of a request: letters, digits, `_`, `-` and `.`, so that it can stand in a header, a log and a body.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    text: Arc<str>,
}

impl RequestId {
    /// An id that no other request of this process has, and hardly one of another.
    #[must_use]
    pub fn fresh() -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { text: format!("req_{:016x}{count:08x}", *PROCESS).into() }
    }

    /// An id of the host's own; `None` where it holds other characters, is empty or is longer than 128 bytes.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        (!text.is_empty() && text.len() <= BYTES_MAX && text.bytes().all(fits)).then(|| Self { text: text.into() })
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The id, to be kept without being copied.
    #[must_use]
    pub fn shared(&self) -> &Arc<str> {
        &self.text
    }

    /// The id as the value of a header.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        // INVARIANT: what the text holds can stand in a header.
        HeaderValue::from_str(&self.text).unwrap_or(HeaderValue::from_static("none"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
