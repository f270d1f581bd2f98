//! The parts of a path that a client chooses.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::catalogue::ModelId;
use crate::reply::Invalid;

/// The longest path: a model's id with every byte encoded, and room for the rest.
const PATH_BYTES_MAX: usize = 1_024;

/// What stands for itself in a segment.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'@');

/// Whether a path has one reading: no empty or dot segment, however it is encoded, no backslash, no parameters,
/// nothing but visible ASCII.
pub(super) fn is_plain(path: &str) -> bool {
    let visible = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b';');
    let Some(rest) = path.strip_prefix('/') else { return false };
    path.len() <= PATH_BYTES_MAX && path.bytes().all(visible) && rest.split('/').all(is_plain_segment)
}

fn is_plain_segment(segment: &str) -> bool {
    let mut decoded = percent_decode_str(segment);
    match (decoded.next(), decoded.next(), decoded.next()) {
        (None, ..) | (Some(b'.'), None, _) | (Some(b'.'), Some(b'.'), None) => false,
        (Some(_), ..) => true,
    }
}

/// The model's id that a path writes, decoded exactly once.
///
/// # Errors
///
/// [`Invalid`] where the encoding is broken or the id cannot be one.
pub(super) fn model(written: &str) -> Result<ModelId, Invalid> {
    if !is_well_encoded(written) {
        return Err(Invalid::Encoding);
    }
    let decoded = percent_decode_str(written).decode_utf8().map_err(|_| Invalid::Encoding)?;
    Ok(ModelId::new(&decoded)?)
}

/// Whether each `%` is followed by two hexadecimal digits.
pub(crate) fn is_well_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes().take(2);
        let mut digit = || digits.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        digit() && digit()
    })
}

/// A text as one segment of a path, slashes encoded.
pub(super) fn segment(text: &str) -> impl fmt::Display {
    utf8_percent_encode(text, SEGMENT)
}
