//! Names of a form's fields, and which of them another parser could take for one that matters.

use super::key::{self, Key};
use crate::reply::Invalid;

/// The field by which a form says in which letters its other fields are written: whoever follows it reads other texts.
const CHARSET_FIELD: &str = "_charset_";

/// The key that a field is, however a parser takes its name apart, and how it must be written.
///
/// # Errors
///
/// [`Invalid::Form`] for a name that parsers decode in different ways, and for `_charset_`.
pub(super) fn key(name: &str) -> Result<Option<(Key, &'static [&'static str])>, Invalid> {
    // APIs name fields by letters, digits and brackets. With anything else the name would depend on who decodes it:
    // `%6d`, `=?utf-8?q?...?=`, `\m`, `&#109;`, blanks that are trimmed.
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte);
    if name.is_empty() || !name.bytes().all(fits) {
        return Err(Invalid::Form);
    }
    let folded = key::fold(name);
    if folded == CHARSET_FIELD {
        return Err(Invalid::Form);
    }
    // `model[]`, `model.x` and `[model]` are read as `model` by some.
    let stem = folded.split(['[', ']', '.']).find(|piece| !piece.is_empty()).unwrap_or_default();
    // Others write `_` for what no variable of theirs may hold: `max.tokens`, `max-tokens[`.
    let mangled = folded.replace(['[', ']', '.', '-'], "_");
    Ok(Key::of(stem, false).or_else(|| Key::of(mangled.trim_matches('_'), false)))
}
