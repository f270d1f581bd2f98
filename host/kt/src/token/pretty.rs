//! JSON for people: a line for each field of the outermost object, everything within it on that line.

use serde::Serialize;

use crate::clean::is_odd;

/// Writes a value that is an object.
pub(crate) fn pretty(value: &impl Serialize) -> anyhow::Result<String> {
    // The text keeps the order of the fields, which a map would not.
    let text = serde_json::to_string(value)?;
    Ok(visible(&lay_out(&text)))
}

/// Line ends and blanks at the places where people expect them.
fn lay_out(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len().saturating_mul(2));
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut left = compact.chars().peekable();
    while let Some(c) = left.next() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' => in_string = true,
            '{' | '[' => depth = depth.saturating_add(1),
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_list_of_objects = c == '[' && depth == 2 && left.peek() == Some(&'{');
        match c {
            '{' if depth == 1 => out.push_str("{\n  "),
            '}' if depth == 0 => out.push_str("\n}"),
            ',' if depth == 1 => out.push_str(",\n  "),
            '[' if is_list_of_objects => out.push_str("[\n    "),
            ',' if depth == 2 && out.ends_with('}') => out.push_str(",\n    "),
            ']' if depth == 1 && out.ends_with('}') => out.push_str("\n  ]"),
            ',' => out.push_str(", "),
            ':' => out.push_str(": "),
            c => out.push(c),
        }
    }
    out
}

/// Characters that would move the cursor or turn the text are written as JSON writes them. They only ever stand in
/// strings.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_odd(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Writes a value on one line, for scripts.
pub(crate) fn one_line(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(visible(&serde_json::to_string(value)?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn same(one: &str, other: &Value) -> bool {
        serde_json::from_str::<Value>(one).unwrap() == *other
    }

    #[test]
    fn the_text_is_the_same_json_in_lines() {
        let value = json!({"a": "x,{\"]", "b": ["p", "q"], "c": [{"d": 1}, {"d": [2]}], "e": {"f": null}, "g": []});
        let text = pretty(&value).unwrap();
        assert!(same(&text, &value), "{text}");
        assert!(text.contains("\n  \"b\": [\"p\", \"q\"],\n"), "{text}");
        assert!(text.contains("\"c\": [\n    {\"d\": 1},\n    {\"d\": [2]}\n  ]"), "{text}");
        let odd = json!({"name": "a\u{202e}b\u{7f}"});
        let text = pretty(&odd).unwrap();
        assert!(same(&text, &odd) && text.contains("a\\u202eb\\u007f"), "{text}");
    }
}
