//! W3C trace context: the trace that a request belongs to.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Version, trace, parent and flags with their dashes.
const PARENT_BYTES: usize = 55;

/// Bytes of `tracestate` that are passed on: what the recommendation asks for at least.
const STATE_BYTES_MAX: usize = 512;

/// Differs from process to process.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The trace of a request, and this gateway's part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    id: u128,
    span: u64,
    flags: u8,
    /// Whether somebody before this gateway began it.
    inherited: bool,
}

impl Trace {
    /// The trace that the headers name, or a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let span = random().max(1);
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let named = match (parents.next(), parents.next()) {
            (Some(parent), None) => parse(parent.as_bytes()),
            _ => None,
        };
        match named {
            Some((id, flags)) => Self { id, span, flags, inherited: true },
            None => Self { id: (u128::from(random()) << 64) | u128::from(span), span, flags: 0, inherited: false },
        }
    }

    /// The id of the trace, for logs.
    pub(crate) fn id(&self) -> String {
        format!("{:032x}", self.id)
    }

    /// Sets the headers for a provider.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        let text = format!("00-{:032x}-{:016x}-{:02x}", self.id, self.span, self.flags);
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(TRACEPARENT, value);
        }
        let bytes: usize = headers.get_all(TRACESTATE).iter().map(HeaderValue::len).sum();
        if !self.inherited || bytes > STATE_BYTES_MAX {
            headers.remove(TRACESTATE);
        }
    }
}

/// Trace and flags of a `traceparent`; later versions are read as this one.
fn parse(value: &[u8]) -> Option<(u128, u8)> {
    let text = std::str::from_utf8(value).ok()?;
    let mut parts = text.split('-');
    let (version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let whole = is_hex(version, 2) && is_hex(id, 32) && is_hex(parent, 16) && is_hex(flags, 2) && version != "ff";
    if !whole || (version == "00" && text.len() != PARENT_BYTES) {
        return None;
    }
    let id = u128::from_str_radix(id, 16).ok().filter(|id| *id != 0)?;
    u64::from_str_radix(parent, 16).ok().filter(|parent| *parent != 0)?;
    Some((id, u8::from_str_radix(flags, 16).ok()? & 1))
}

/// A number that no other call returns soon: spread well, and no secret.
fn random() -> u64 {
    let mut z = SEED.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(parent: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_str(parent).unwrap());
        headers.insert(TRACESTATE, HeaderValue::from_static("vendor=1"));
        headers
    }

    #[test]
    fn a_trace_goes_on_with_another_span() {
        let mut sent = headers("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let trace = Trace::of(&sent);
        trace.apply(&mut sent);
        let parent = sent[TRACEPARENT].to_str().unwrap();
        assert!(parent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && parent.ends_with("-01"), "{parent}");
        assert!(!parent.contains("00f067aa0ba902b7"));
        assert_eq!(sent[TRACESTATE], "vendor=1");
    }

    #[test]
    fn what_is_no_trace_begins_another() {
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            let mut sent = headers(bad);
            let trace = Trace::of(&sent);
            trace.apply(&mut sent);
            assert!(!trace.inherited, "{bad}");
            assert!(!sent.contains_key(TRACESTATE), "{bad}");
            assert_eq!(sent[TRACEPARENT].len(), PARENT_BYTES);
        }
    }
}
