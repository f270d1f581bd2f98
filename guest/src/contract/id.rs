//! The ids of profiles and requests: what they may look like, and what a model binding means.

use crate::contract::limits::Limits;
use thiserror::Error;

/// The longest provider id.
const PROVIDER_BYTES_MAX: usize = 64;

/// The character that only bindings give a meaning.
const WILDCARD: char = '*';

/// Why an id cannot be used. The field's name is added by who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdError {
    /// There is nothing.
    #[error("is empty")]
    Empty,
    /// It is longer than the limit.
    #[error("is longer than {0} bytes")]
    Long(usize),
    /// It begins or ends with a blank.
    #[error("begins or ends with a blank")]
    Blank,
    /// It holds a control character.
    #[error("holds a control character")]
    Control,
    /// It holds a `*`.
    #[error("holds a `*`")]
    Wildcard,
    /// It is no provider id.
    #[error("is not a provider id: lower-case letters, digits, `.`, `_` and `-`, at most 64, no mark first")]
    Provider,
}

/// Whether `id` can be an id: not empty, within the limit, no blanks at its ends, no control characters.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(id: &str, limits: &Limits) -> Result<(), IdError> {
    length(id, limits)?;
    if id.is_empty() {
        return Err(IdError::Empty);
    }
    if id.starts_with(char::is_whitespace) || id.ends_with(char::is_whitespace) {
        return Err(IdError::Blank);
    }
    if id.contains(char::is_control) {
        return Err(IdError::Control);
    }
    Ok(())
}

/// Whether `text` is short enough to be a name or another string that only has to be compared.
///
/// # Errors
/// [`IdError::Long`].
pub fn length(text: &str, limits: &Limits) -> Result<(), IdError> {
    if text.len() > limits.id_bytes { Err(IdError::Long(limits.id_bytes)) } else { Ok(()) }
}

/// Whether `id` can be a provider's.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_provider(id: &str, limits: &Limits) -> Result<(), IdError> {
    check(id, limits)?;
    let word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let first = id.bytes().next().is_some_and(word);
    let rest = id.bytes().all(|c| word(c) || matches!(c, b'.' | b'_' | b'-'));
    if first && rest && id.len() <= PROVIDER_BYTES_MAX { Ok(()) } else { Err(IdError::Provider) }
}

/// Whether `id` can be a model's, slashes and all.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_model(id: &str, limits: &Limits) -> Result<(), IdError> {
    check(id, limits)?;
    if id.contains(WILDCARD) { Err(IdError::Wildcard) } else { Ok(()) }
}

/// What an entry of `bindings.models` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelBinding<'b> {
    /// `openai/gpt-4o`: one model at one provider.
    Exact {
        /// The provider's id.
        provider: &'b str,
        /// The model's name there.
        model: &'b str,
    },
    /// `gpt-4o`: a name at any provider.
    Name(&'b str),
    /// `openai/*`: whatever a provider has.
    Provider(&'b str),
    /// `group:small`: what the bundle puts in a group.
    Group(&'b str),
}

impl<'b> ModelBinding<'b> {
    /// Reads an entry.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn read(text: &'b str, limits: &Limits) -> Result<Self, IdError> {
        check(text, limits)?;
        if let Some(group) = text.strip_prefix("group:") {
            return check_model(group, limits).map(|()| Self::Group(group));
        }
        match text.split_once('/') {
            None => check_model(text, limits).map(|()| Self::Name(text)),
            Some((provider, model)) => {
                check_provider(provider, limits)?;
                if model == "*" {
                    return Ok(Self::Provider(provider));
                }
                check_model(model, limits).map(|()| Self::Exact { provider, model })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{IdError, ModelBinding, check};
    use crate::contract::limits::Limits;

    #[test]
    fn a_binding_is_split_at_its_first_slash() {
        let limits = Limits::default();
        let read = |text| ModelBinding::read(text, &limits);
        assert_eq!(read("gpt-4o"), Ok(ModelBinding::Name("gpt-4o")));
        assert_eq!(read("openai/*"), Ok(ModelBinding::Provider("openai")));
        assert_eq!(read("group:small"), Ok(ModelBinding::Group("small")));
        assert_eq!(
            read("openrouter/openai/gpt-4o"),
            Ok(ModelBinding::Exact { provider: "openrouter", model: "openai/gpt-4o" })
        );
    }

    #[test]
    fn what_could_widen_a_binding_is_refused() {
        let limits = Limits::default();
        for text in [
            "*",
            "*/gpt",
            "openai/gpt-*",
            "gpt*",
            "openai/",
            "/gpt",
            "",
            " gpt",
            "gpt ",
            "a\u{0}b",
            "group:",
            "group:*",
            "openai/ gpt",
            "Open AI/gpt",
            "openai/*/x",
            "group: x",
        ] {
            assert!(ModelBinding::read(text, &limits).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_limit_is_the_last_length_that_passes() {
        let limits = Limits::default();
        assert_eq!(check(&"x".repeat(limits.id_bytes), &limits), Ok(()));
        assert_eq!(check(&"x".repeat(limits.id_bytes + 1), &limits), Err(IdError::Long(limits.id_bytes)));
    }
}
