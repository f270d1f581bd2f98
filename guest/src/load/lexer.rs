//! The tokens of Cedar's policy and schema languages, with their places in the text.
//!
//! Only what the depth gate needs: it never decides whether a text is right, Cedar's own parser does. Where
//! the two could disagree, this one is the more generous, so that nothing it passes over reaches the parser
//! as something else.

/// What a token is. The text of an identifier is looked up by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or a keyword.
    Ident,
    /// A whole number.
    Number,
    /// A string literal with its quotes.
    Str,
    /// A template slot, such as `?principal`.
    Slot,
    /// Punctuation of one or two characters.
    Punct,
    /// A character that begins no token: Cedar's parser will refuse the text here.
    Unknown,
}

/// A token: its kind and the bytes it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// The byte behind its last.
    pub end: usize,
}

/// The tokens of a text, in order, without white space and comments.
#[must_use]
pub fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::with_capacity(text.len() / 4);
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else { break };
        if first.is_whitespace() {
            at += first.len_utf8();
        } else if rest.starts_with("//") {
            at += rest.find(['\n', '\r']).unwrap_or(rest.len());
        } else {
            let (kind, length) = token(rest, first);
            out.push(Token { kind, start: at, end: at + length });
            at += length;
        }
    }
    out
}

/// The kind and length of the token that `rest` begins with.
fn token(rest: &str, first: char) -> (Kind, usize) {
    if first == '"' {
        return string(rest);
    }
    if first.is_ascii_digit() {
        return (Kind::Number, run(rest, |c| c.is_ascii_digit()));
    }
    if is_ident_start(first) {
        return (Kind::Ident, run(rest, is_ident));
    }
    if first == '?' {
        return (Kind::Slot, 1 + run(rest.get(1..).unwrap_or_default(), is_ident));
    }
    let pair = rest.get(..2).unwrap_or_default();
    if matches!(pair, "::" | "==" | "!=" | "<=" | ">=" | "||" | "&&") {
        return (Kind::Punct, 2);
    }
    if "@.,;:(){}[]<>+-*/%!=".contains(first) {
        return (Kind::Punct, 1);
    }
    (Kind::Unknown, first.len_utf8())
}

/// A string literal: to its closing quote, or to the end of the text where it has none.
fn string(rest: &str) -> (Kind, usize) {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return (Kind::Str, at + 1),
            _ => {}
        }
    }
    (Kind::Unknown, rest.len())
}

/// The bytes of the longest beginning of `text` whose characters all satisfy `is`.
fn run(text: &str, is: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is(c)).unwrap_or(text.len())
}

fn is_ident_start(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_ident(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::{Kind, tokens};

    #[test]
    fn tokens_cover_the_text_without_blanks_and_comments() {
        let text = "@id(\"a\\\"//b\") // c\npermit(x==1);?principal é \"open";
        let seen: Vec<&str> = tokens(text).iter().map(|t| text.get(t.start..t.end).unwrap_or("")).collect();
        assert_eq!(
            seen,
            ["@", "id", "(", "\"a\\\"//b\"", ")", "permit", "(", "x", "==", "1", ")", ";", "?principal", "é", "\"open"]
        );
        assert_eq!(tokens(text).last().map(|t| t.kind), Some(Kind::Unknown));
    }
}
