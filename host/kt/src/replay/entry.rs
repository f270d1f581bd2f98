//! What came of one line.

use std::sync::Arc;
use std::time::Duration;

use cedargate::Pdp;
use cedargate::model::{Expect, ExpectedDecision, Record};

use crate::ruling::Ruling;

/// One line of a file, replayed.
pub(crate) struct Entry {
    /// The line, from 1 on.
    pub(crate) line: u64,
    /// What came of it.
    pub(crate) result: Result<Judged, String>,
}

/// A record, its decision, and whether that is what was expected.
pub(crate) struct Judged {
    pub(crate) record: Record,
    /// What decided it.
    pub(crate) pdp: Pdp,
    pub(crate) ruling: Ruling,
    pub(crate) verdict: Verdict,
    /// How long the decision took; absent where none was asked for.
    pub(crate) elapsed: Option<Duration>,
}

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The decision is the expected one.
    Matched,
    /// It is another.
    Mismatched,
    /// The record expects nothing.
    Unchecked,
}

/// A piece of the input after the replay, in the order of the input.
pub(crate) enum Piece {
    /// Some lines of a file.
    Entries(Vec<Entry>),
    /// A file begins.
    Begin(Arc<str>),
    /// The file ends here.
    End,
    /// The rest of the file cannot be read.
    Failed(String),
}

impl Verdict {
    pub(crate) fn of(expect: Option<&Expect>, ruling: &Ruling) -> Self {
        match expect {
            None => Self::Unchecked,
            Some(expect) if meets(expect, ruling) => Self::Matched,
            Some(_) => Self::Mismatched,
        }
    }
}

fn meets(expect: &Expect, ruling: &Ruling) -> bool {
    (expect.decision == ExpectedDecision::Allow) == ruling.is_allow()
        && expect.status.is_none_or(|status| status == ruling.status())
        && expect.code.as_deref().is_none_or(|code| Some(code) == ruling.code())
        && expect.policies.as_deref().is_none_or(|policies| same_policies(policies, ruling))
}

/// Exactly these policies, in any order.
fn same_policies(expected: &[String], ruling: &Ruling) -> bool {
    let mut expected: Vec<_> = expected.iter().map(String::as_str).collect();
    expected.sort_unstable();
    expected == ruling.policies()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(expect: &str) -> Verdict {
        let ruling = Ruling::Unprepared { reason: String::new() };
        Verdict::of(Some(&serde_json::from_str(expect).unwrap()), &ruling)
    }

    #[test]
    fn what_is_named_is_compared_and_nothing_else() {
        assert_eq!(verdict(r#"{"decision":"deny"}"#), Verdict::Matched);
        assert_eq!(
            verdict(r#"{"decision":"deny","status":503,"code":"policy_unavailable","policies":[]}"#),
            Verdict::Matched
        );
        assert_eq!(verdict(r#"{"decision":"allow"}"#), Verdict::Mismatched);
        assert_eq!(verdict(r#"{"decision":"deny","status":403}"#), Verdict::Mismatched);
        assert_eq!(verdict(r#"{"decision":"deny","code":"x"}"#), Verdict::Mismatched);
        assert_eq!(verdict(r#"{"decision":"deny","policies":["x"]}"#), Verdict::Mismatched);
    }
}
