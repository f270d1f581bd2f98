//! In which form a body is sent.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::reply::{Invalid, Refusal};
use crate::route::BodyForms;

/// The longest boundary, by RFC 2046.
const BOUNDARY_BYTES_MAX: usize = 70;

/// The form of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BodyForm {
    /// There is none.
    Nothing,
    /// A JSON object.
    Json,
    /// A form with files.
    Multipart {
        /// What stands between its parts.
        boundary: Box<str>,
    },
}

/// The form of a body, as its headers say, where the endpoint reads it.
pub(super) fn form(read: BodyForms, headers: &HeaderMap) -> Result<BodyForm, Refusal> {
    if read == BodyForms::Nothing {
        return Ok(BodyForm::Nothing);
    }
    if only(headers, &CONTENT_ENCODING)?.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refusal::MediaTypeUnsupported);
    }
    let value = only(headers, &CONTENT_TYPE)?.ok_or(Refusal::MediaTypeUnsupported)?;
    let text = value.to_str().map_err(|_| Refusal::MediaTypeUnsupported)?;
    let form = parse(text).ok_or(Refusal::MediaTypeUnsupported)?;
    let (json, multipart) = match read {
        BodyForms::Nothing => (false, false),
        BodyForms::Json => (true, false),
        BodyForms::Multipart => (false, true),
        BodyForms::JsonOrMultipart => (true, true),
    };
    let is_read = match form {
        BodyForm::Nothing => false,
        BodyForm::Json => json,
        BodyForm::Multipart { .. } => multipart,
    };
    if is_read { Ok(form) } else { Err(Refusal::MediaTypeUnsupported) }
}

/// A media type with the only parameter that it may have.
fn parse(text: &str) -> Option<BodyForm> {
    let (essence, parameter) = match text.split_once(';') {
        Some((essence, parameter)) => (essence.trim(), Some(parameter.trim())),
        None => (text.trim(), None),
    };
    if essence.eq_ignore_ascii_case("application/json") {
        return match parameter {
            None | Some("") => Some(BodyForm::Json),
            Some(parameter) => is_utf8(parameter).then_some(BodyForm::Json),
        };
    }
    if !essence.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let (boundary, quoted) = parameter?.strip_prefix("boundary=").and_then(unquoted)?;
    // What RFC 2046 allows without the blank, the comma and the apostrophe. Outside of quotes some parsers end the
    // value at what no word holds, and would look for a shorter boundary.
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || b"+_-.".contains(&byte) || quoted && b"()/:=?".contains(&byte);
    let length = 1..=BOUNDARY_BYTES_MAX;
    (length.contains(&boundary.len()) && boundary.bytes().all(fits))
        .then(|| BodyForm::Multipart { boundary: boundary.into() })
}

/// Whether a parameter of a type says that its text is in UTF-8.
pub(super) fn is_utf8(parameter: &str) -> bool {
    let charset = parameter.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("charset"));
    let value = charset.and_then(|(_, value)| unquoted(value));
    value.is_some_and(|(value, _)| value.eq_ignore_ascii_case("utf-8"))
}

/// A value without its quotes, and whether it had any. A second parameter makes it none.
fn unquoted(value: &str) -> Option<(&str, bool)> {
    let (value, quoted) = match value.strip_prefix('"') {
        Some(quoted) => (quoted.strip_suffix('"')?, true),
        None => (value, false),
    };
    (!value.contains(['"', ';', '\\'])).then_some((value, quoted))
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Invalid> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Invalid::Header),
    }
}
