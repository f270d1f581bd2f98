//! Text from elsewhere, made fit for a terminal.

use std::borrow::Cow;

/// The text with every character escaped that would move the cursor, colour the line, or turn its direction: an id
/// in a record may hold anything.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    clean_except(text, |_| false)
}

/// [`clean`] for texts of several lines.
pub(crate) fn clean_lines(text: &str) -> Cow<'_, str> {
    clean_except(text, |c| c == '\n')
}

fn clean_except(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let odd = |c: char| is_odd(c) && !keep(c);
    if !text.contains(odd) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        if odd(c) { cleaned.extend(c.escape_default()) } else { cleaned.push(c) }
    }
    Cow::Owned(cleaned)
}

/// Control characters, and those that change the direction or the lines of the text around them.
pub(crate) fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_is_shown_and_not_obeyed() {
        assert_eq!(clean("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(clean_lines("a\nb\u{202e}c"), "a\nb\\u{202e}c");
        assert!(matches!(clean("gpt-4o – ä"), Cow::Borrowed(_)));
    }
}
