//! The credential that a request presents.

mod query;

use std::fmt;

use http::header::{AUTHORIZATION, COOKIE, Entry, PROXY_AUTHORIZATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::hygiene::leak;
use crate::reply::Refusal;

/// The longest credential, in bytes: signed tokens of other systems come close to it, and hashing more would be work
/// for whoever asks for it.
pub const CREDENTIAL_BYTES_MAX: usize = 4_096;

/// The headers that hold a credential and nothing else, in the order of their precedence behind `authorization`.
const KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// What a client presents to say who it is. It is never shown: `Debug` and `Display` are masked.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    secret: Box<str>,
    source: Source,
}

/// Where a credential stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// `Authorization: Bearer`.
    Authorization,
    /// `x-api-key`.
    XApiKey,
    /// `api-key`.
    ApiKey,
    /// `x-goog-api-key`.
    XGoogApiKey,
}

impl Credential {
    /// The whole secret, to be hashed and looked up. It must not be logged, stored or sent on.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.secret
    }

    /// The header in which it stood.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("source", &self.source).finish_non_exhaustive()
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[masked]")
    }
}

/// The one credential of a request: `Authorization: Bearer`, else `x-api-key`, else `api-key`, else
/// `x-goog-api-key`. The same credential may stand in several of them.
///
/// # Errors
///
/// [`Refusal::TokenMissing`] where there is none; [`Refusal::TokenConflict`] where two differ;
/// [`Refusal::TokenMalformed`] where a header stands twice, is empty or too long, holds a list or a character that no
/// credential has, or is another scheme than `Bearer`, and where a credential stands in the query or before the host,
/// whether or not another one stands in a header.
pub fn present(parts: &Parts) -> Result<Credential, Refusal> {
    let in_query = parts.uri.query().is_some_and(query::holds_credential);
    // `https://name:key@host/` is a credential in an address, too.
    let in_authority = parts.uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if in_query || in_authority {
        return Err(Refusal::TokenMalformed);
    }
    let mut first: Option<Credential> = None;
    let bearer = only(&parts.headers, &AUTHORIZATION)?.map(bearer).transpose()?;
    let mut found = bearer.map(|secret| (secret, Source::Authorization));
    let sources = [Source::XApiKey, Source::ApiKey, Source::XGoogApiKey];
    for (name, source) in KEY_HEADERS.iter().zip(sources) {
        note(&mut first, found.take())?;
        found = only(&parts.headers, name)?.map(|value| secret(value.as_bytes())).transpose()?.map(|s| (s, source));
    }
    note(&mut first, found)?;
    let credential = first.ok_or(Refusal::TokenMissing)?;
    // Under whatever name and in whatever encoding: it would end up in the logs of everybody on the way.
    let in_query = parts.uri.query().is_some_and(|query| leak::holds(query.as_bytes(), credential.expose()));
    if in_query { Err(Refusal::TokenMalformed) } else { Ok(credential) }
}

/// Marks the headers that hold credentials, so that `Debug` of a request does not show them.
pub fn conceal(headers: &mut HeaderMap) {
    for name in KEY_HEADERS.iter().chain([&AUTHORIZATION, &COOKIE, &PROXY_AUTHORIZATION]) {
        if let Entry::Occupied(mut entry) = headers.entry(name) {
            entry.iter_mut().for_each(|value| value.set_sensitive(true));
        }
    }
}

/// Whether a header, by its name in lower case, holds a credential and is read for it.
pub(crate) fn is_credential_header(name: &str) -> bool {
    name == AUTHORIZATION.as_str() || KEY_HEADERS.iter().any(|key| key.as_str() == name)
}

fn note(first: &mut Option<Credential>, found: Option<(&str, Source)>) -> Result<(), Refusal> {
    let Some((secret, source)) = found else { return Ok(()) };
    match first {
        None => *first = Some(Credential { secret: secret.into(), source }),
        Some(credential) if &*credential.secret == secret => {}
        Some(_) => return Err(Refusal::TokenConflict),
    }
    Ok(())
}

/// The only value of a header, if there is one.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Refusal::TokenMalformed),
    }
}

/// The secret behind `Bearer` and its blanks.
fn bearer(value: &HeaderValue) -> Result<&str, Refusal> {
    let bytes = value.as_bytes();
    let (scheme, rest) = bytes.split_at_checked("bearer".len()).ok_or(Refusal::TokenMalformed)?;
    let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
    let rest = rest.get(blanks..).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"bearer") || blanks == 0 {
        return Err(Refusal::TokenMalformed);
    }
    secret(rest)
}

/// A secret: visible ASCII without the marks that lists, quotes and parameters are made of.
fn secret(bytes: &[u8]) -> Result<&str, Refusal> {
    let fits = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b';' | b'"' | b'\\');
    // All are looked at, which is faster than to stop at the first.
    if bytes.is_empty() || bytes.len() > CREDENTIAL_BYTES_MAX || !bytes.iter().fold(true, |all, byte| all & fits(byte))
    {
        return Err(Refusal::TokenMalformed);
    }
    std::str::from_utf8(bytes).map_err(|_| Refusal::TokenMalformed)
}
