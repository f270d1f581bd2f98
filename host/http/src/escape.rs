//! Names that other people chose, in lines, labels, headers and tables that others read.

use std::borrow::Cow;
use std::fmt::Write;

/// The longest name that is shown whole, in bytes before escaping: ids are no longer.
pub const NAME_BYTES_MAX: usize = 256;

/// A name as one word: of event lines, log lines, labels of metrics and headers.
///
/// Letters and digits of ASCII and `-._~@/+` stand for themselves. Every other byte becomes `%` and two hexadecimal
/// digits, so no name can hold a blank, a line's end, a colon or a quote, and the original can be read back. No name is
/// `-`. What is beyond [`NAME_BYTES_MAX`] is cut off, and `%2E%2E%2E` stands for it.
///
/// ```
/// use cedargate_http::escape::word;
///
/// assert_eq!(word("jane-vscode"), "jane-vscode");
/// assert_eq!(word("x team:admin PASS"), "x%20team%3Aadmin%20PASS");
/// ```
#[must_use]
pub fn word(name: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@/+".contains(&byte);
    if name.is_empty() {
        return Cow::Borrowed("-");
    }
    if name != "-" && name.len() <= NAME_BYTES_MAX && name.bytes().all(plain) {
        return Cow::Borrowed(name);
    }
    let mut word = String::with_capacity(name.len().min(NAME_BYTES_MAX) * 2);
    for byte in name.bytes().take(NAME_BYTES_MAX) {
        if plain(byte) && name != "-" {
            word.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(word, "%{byte:02X}");
        }
    }
    if name.len() > NAME_BYTES_MAX {
        word.push_str("%2E%2E%2E");
    }
    Cow::Owned(word)
}

/// A text as one field of a CSV file, which no spreadsheet takes for a formula.
///
/// ```
/// use cedargate_http::escape::csv_field;
///
/// assert_eq!(csv_field("app"), "app");
/// assert_eq!(csv_field("=1+1"), "\"'=1+1\"");
/// assert_eq!(csv_field("a,\"b\""), "\"a,\"\"b\"\"\"");
/// ```
#[must_use]
pub fn csv_field(text: &str) -> Cow<'_, str> {
    // A formula may begin behind blanks, and some programs drop control characters before they look.
    let begins = text.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
    let formula = begins.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
        || text.starts_with(['\t', '\r', '\n']);
    let quoted = formula || text.contains([',', '"', '\n', '\r', ';', '\t']) || text.trim() != text;
    if !quoted {
        return Cow::Borrowed(text);
    }
    let mut field = String::with_capacity(text.len() + 4);
    field.push('"');
    if formula {
        field.push('\'');
    }
    for c in text.chars() {
        if c == '"' {
            field.push('"');
        }
        field.push(c);
    }
    field.push('"');
    Cow::Owned(field)
}
