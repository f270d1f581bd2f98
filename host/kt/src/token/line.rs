//! An event on one line: `[2024-01-15 10:30:12] INPUT openai chat/completions key:jane-vscode team:frontend PASS`.

use std::fmt::Write as _;

use cedargate_tokens::{Event, Verdict};

use super::shown::seconds;

/// The event on one line without its end.
pub(crate) fn line(event: &Event) -> String {
    let time = seconds(event.time).replace('T', " ");
    let word = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), word);
    let mut line = format!(
        "[{}] INPUT {} {} key:{} team:{}",
        time.trim_end_matches('Z'),
        word(event.provider.as_deref()),
        word(Some(&event.action.replace('.', "/"))),
        word(event.token_name.as_deref().or(event.token_id.as_deref())),
        word(event.team.as_deref()),
    );
    // Writing to a text does not fail.
    let _ = match (event.decision, event.code.as_deref()) {
        (Verdict::Allow, _) if event.status < 400 => write!(line, " PASS"),
        // It was admitted, and came to nothing all the same: at its provider, or, where there is a code, at the gateway.
        (Verdict::Allow, None) => write!(line, " ADMITTED FAIL {}", event.status),
        (Verdict::Allow, code) => write!(line, " ADMITTED FAIL {} {}", event.status, word(code)),
        (Verdict::Deny, code) => write!(line, " DENY {} {}", event.status, word(code)),
    };
    if let Some(shadow) = event.shadow.as_ref().filter(|_| event.would_flip()) {
        let _ = match shadow.decision {
            Verdict::Allow => write!(line, " WOULD-PASS"),
            Verdict::Deny => write!(line, " WOULD-DENY {} {}", shadow.status, word(shadow.code.as_deref())),
        };
    }
    line
}

/// A text as one word, in which a blank or anything that cannot be seen is written as in a URL: a name cannot pretend
/// to be the rest of the line.
fn word(text: &str) -> String {
    let mut word = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() || c == '%' || crate::clean::is_odd(c) {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| word.push_str(&format!("%{byte:02X}")));
        } else {
            word.push(c);
        }
    }
    if word.is_empty() { "-".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_the_product_shows_it() {
        let at = "2024-01-15T10:30:12.345Z".parse().unwrap();
        let mut event = Event::new("req_1", at, "chat.completions", Verdict::Allow);
        event.provider = Some("openai".into());
        event.token_name = Some("jane-vscode".into());
        event.team = Some("frontend".into());
        assert_eq!(
            line(&event),
            "[2024-01-15 10:30:12] INPUT openai chat/completions key:jane-vscode team:frontend PASS"
        );
        for (status, code, end) in [
            (302, None, "PASS"),
            (404, None, "ADMITTED FAIL 404"),
            (502, Some("upstream_unreachable"), "ADMITTED FAIL 502 upstream_unreachable"),
        ] {
            event.status = status;
            event.code = code.map(Into::into);
            assert!(line(&event).ends_with(&format!(" team:frontend {end}")), "{}", line(&event));
        }
        event.token_name = Some("x team:admin PASS\n\u{2028}100%".into());
        event.decision = Verdict::Deny;
        event.status = 403;
        event.code = Some("model_not_allowed".into());
        assert_eq!(
            line(&event),
            "[2024-01-15 10:30:12] INPUT openai chat/completions key:x%20team:admin%20PASS%0A%E2%80%A8100%25 \
             team:frontend DENY 403 model_not_allowed"
        );
    }
}
