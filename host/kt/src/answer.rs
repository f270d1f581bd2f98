//! What a command answers, and the exit code that says it.

use std::process::ExitCode;

/// The answer of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    /// Allowed, matched, in order: exit code 0.
    Yes,
    /// Denied, mismatched, refused: exit code 1.
    No,
    /// The question could not be answered: exit code 2.
    CannotSay,
}

impl Answer {
    pub(crate) fn yes_if(condition: bool) -> Self {
        if condition { Self::Yes } else { Self::No }
    }
}

impl From<Answer> for ExitCode {
    fn from(answer: Answer) -> Self {
        Self::from(match answer {
            Answer::Yes => 0,
            Answer::No => 1,
            Answer::CannotSay => 2,
        })
    }
}
