//! Names that others chose cannot forge what is around them.

use cedargate_http::escape::{NAME_BYTES_MAX, csv_field, word};
use proptest::prelude::*;

#[test]
fn nobody_forges_a_line() {
    for (name, escaped) in [
        ("x team:admin PASS", "x%20team%3Aadmin%20PASS"),
        ("x\n[2024-01-15 10:30:12] INPUT", "x%0A%5B2024-01-15%2010%3A30%3A12%5D%20INPUT"),
        ("team:admin", "team%3Aadmin"),
        ("\u{1b}[2K", "%1B%5B2K"),
        ("a\"b", "a%22b"),
        ("a%20b", "a%2520b"),
        ("\u{202e}", "%E2%80%AE"),
        ("", "-"),
        ("-", "%2D"),
        ("--", "--"),
        ("jane.doe@company.com - VS Code", "jane.doe@company.com%20-%20VS%20Code"),
        ("openai/gpt-4o", "openai/gpt-4o"),
    ] {
        assert_eq!(word(name), escaped, "{name}");
    }
    assert_eq!(word(&"a".repeat(NAME_BYTES_MAX)).len(), NAME_BYTES_MAX);
    assert!(word(&"a".repeat(1 << 20)).len() < NAME_BYTES_MAX + 16);
}

#[test]
fn no_field_is_a_formula() {
    for (text, field) in [
        ("app", "app"),
        ("", ""),
        ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
        ("+1", "\"'+1\""),
        ("-1", "\"'-1\""),
        ("@SUM(1)", "\"'@SUM(1)\""),
        (" =1", "\"' =1\""),
        ("\t=1", "\"'\t=1\""),
        ("\u{0}=1", "\"'\u{0}=1\""),
        ("\u{ff1d}1", "\"'\u{ff1d}1\""),
        ("a\r\nb", "\"a\r\nb\""),
        ("a,b", "\"a,b\""),
        ("say \"x\"", "\"say \"\"x\"\"\""),
    ] {
        assert_eq!(csv_field(text), field, "{text:?}");
    }
}

proptest! {
    #[test]
    fn a_word_is_one_word_and_can_be_read_back(name in any::<String>()) {
        let escaped = word(&name);
        prop_assert!(escaped.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':' && byte != b'"'));
        if (1..=NAME_BYTES_MAX).contains(&name.len()) {
            let read_back = percent_encoding::percent_decode_str(&escaped).decode_utf8().unwrap();
            prop_assert_eq!(&*read_back, name.as_str());
        }
    }

    #[test]
    fn a_field_stays_within_its_quotes(text in any::<String>()) {
        let field = csv_field(&text);
        if let Some(inner) = field.strip_prefix('"') {
            let inner = inner.strip_suffix('"').unwrap();
            prop_assert!(!inner.replace("\"\"", "").contains('"'));
        } else {
            prop_assert_eq!(&*field, text.as_str());
            prop_assert!(!field.contains([',', '\n', '\r', '"']));
        }
    }
}
