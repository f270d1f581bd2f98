//! Credentials in a query, where they would end up in logs.

use percent_encoding::percent_decode_str;

use crate::hygiene::leak::{OWN_PREFIX, holds_own};

/// Names of parameters that hold credentials, without case and marks.
const NAMES: [&str; 23] = [
    "accesskey",
    "accesstoken",
    "apikey",
    "apitoken",
    "auth",
    "authorization",
    "authtoken",
    "bearer",
    "bearertoken",
    "clientsecret",
    "idtoken",
    "jwt",
    "key",
    "oauthtoken",
    "password",
    "secret",
    "sessiontoken",
    "subscriptionkey",
    "token",
    "xapikey",
    "xaccesstoken",
    "xgoogapikey",
    "xauthtoken",
];

/// How often an encoding may stand in another: more is not followed, but taken for a credential.
const ENCODINGS_MAX: usize = 3;

/// Whether a query holds a credential, in whatever spelling.
pub(super) fn holds_credential(query: &str) -> bool {
    query.split(['&', ';']).any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        names_credential(name)
            // Under any name, a token of this gateway in a query is a leaked one.
            || plain(value).is_none_or(|value| {
                value.trim_start_matches([' ', '+']).starts_with(OWN_PREFIX) || holds_own(value.as_bytes())
            })
    })
}

/// Whether a parameter's name, as it is written, is one of a credential. A name that is encoded over and over is.
fn names_credential(name: &str) -> bool {
    plain(name).is_none_or(|name| {
        let mut word = String::with_capacity(name.len());
        word.extend(name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()));
        NAMES.contains(&word.as_str())
    })
}

/// A text with all its encodings taken off; `None` where there are too many.
fn plain(text: &str) -> Option<String> {
    let mut text = text.to_owned();
    for _ in 0..=ENCODINGS_MAX {
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if decoded == text {
            return Some(text);
        }
        text = decoded;
    }
    None
}
