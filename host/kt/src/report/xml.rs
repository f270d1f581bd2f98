//! Text as XML may hold it.

use std::fmt;

/// A text for an attribute or between two tags: what has a meaning in XML is escaped, and what XML cannot hold at all
/// is left out.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&apos;")?,
                // A reader would make a blank of them within an attribute.
                '\n' => f.write_str("&#10;")?,
                '\t' => f.write_str("&#9;")?,
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_is_escaped_and_what_cannot_stand_is_left_out() {
        let text = "<a href=\"x\" & 'y'>]]>\u{0}\u{1b}[31m\r\n\tä\u{ffff}\u{85}😀";
        let escaped = "&lt;a href=&quot;x&quot; &amp; &apos;y&apos;&gt;]]&gt;[31m&#10;&#9;ä😀";
        assert_eq!(Escaped(text).to_string(), escaped);
    }
}
