//! Secrets of this system in texts that people typed.

use std::borrow::Cow;

use super::format::{PUBLIC_DIGITS, Presented, SYSTEM};

/// The text with every secret of this system cut to what may be shown of it, mistyped ones and those that are not
/// whole too: what somebody pasted at the wrong place is not repeated in an error or a log.
///
/// ```
/// use cedargate_tokens::{Prefix, Secret, mask_secrets};
///
/// let secret = Secret::generate(&Prefix::default())?;
/// let masked = mask_secrets(secret.expose()).into_owned();
/// assert_eq!(masked, secret.to_string());
/// # Ok::<(), cedargate_tokens::GenerateError>(())
/// ```
#[must_use]
pub fn mask_secrets(text: &str) -> Cow<'_, str> {
    if words(text).all(|word| hidden_after(word).is_none()) {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c| !is_of_word(c)) {
        let word = piece.trim_end_matches(|c| !is_of_word(c));
        match hidden_after(word) {
            Some(shown) => {
                masked.push_str(shown);
                masked.push('…');
                masked.push_str(piece.strip_prefix(word).unwrap_or_default());
            }
            None => masked.push_str(piece),
        }
    }
    Cow::Owned(masked)
}

/// Whether a whole secret of this system stands in the text.
pub(crate) fn holds_secret(text: &str) -> bool {
    words(text).any(|word| Presented::parse(word).is_ok_and(|presented| presented.is_ours()))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_of_word(c))
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What may be shown of a word that looks like a secret.
fn hidden_after(word: &str) -> Option<&str> {
    let (before, digits) = word.strip_prefix(SYSTEM)?.rsplit_once('_')?;
    let shown = SYSTEM.len().saturating_add(before.len()).saturating_add(1 + PUBLIC_DIGITS);
    if digits.len() > PUBLIC_DIGITS { word.get(..shown) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Prefix, Secret};

    #[test]
    fn secrets_are_cut_wherever_they_stand() {
        let secret = Secret::generate(&Prefix::default()).unwrap();
        let text = secret.expose();
        assert_eq!(mask_secrets(&format!("`{text}`, ä {text}\n")), format!("`{secret}`, ä {secret}\n"));
        let cut = text.get(..text.len() - 9).unwrap();
        assert_eq!(mask_secrets(cut), secret.to_string());
        for plain in ["", "kt_", "kt tokens list", "kt_live_KEY", "production_a_very_long_name", secret.public_part()] {
            assert!(matches!(mask_secrets(plain), Cow::Borrowed(_)), "{plain}");
        }
        assert!(holds_secret(&format!("key={text};")) && !holds_secret(cut));
    }
}
