//! Keys of a body, and which of them matter.

use std::borrow::Cow;

use super::routing::routing_field;

/// A key that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Model,
    Stream,
    StreamOptions,
    OutputTokensMax(&'static str),
    Choices(&'static str),
    Tools,
    /// Gemini's settings of an answer.
    GenerationConfig,
    /// A whole request within Gemini's `countTokens`.
    GenerateContentRequest,
    /// A key by which a server behind could be led to another model, another server or another bill.
    Routing(&'static str),
}

impl Key {
    /// The key that a folded name is, and how it must be written.
    pub(super) fn of(folded: &str, gemini: bool) -> Option<(Self, &'static [&'static str])> {
        if gemini {
            return Self::of_gemini(folded);
        }
        Some(match folded {
            "model" => (Self::Model, &["model"]),
            "stream" => (Self::Stream, &["stream"]),
            "stream_options" => (Self::StreamOptions, &["stream_options"]),
            "max_tokens" => (Self::OutputTokensMax("max_tokens"), &["max_tokens"]),
            "max_completion_tokens" => (Self::OutputTokensMax("max_completion_tokens"), &["max_completion_tokens"]),
            "max_output_tokens" => (Self::OutputTokensMax("max_output_tokens"), &["max_output_tokens"]),
            "n" => (Self::Choices("n"), &["n"]),
            "best_of" => (Self::Choices("best_of"), &["best_of"]),
            "tools" => (Self::Tools, &["tools"]),
            _ => return Self::routing(folded),
        })
    }

    /// Whether a folded name that is no key would be one to a server that trims blanks, or passes over marks and
    /// letters that nobody sees.
    pub(super) fn is_disguised(folded: &str, gemini: bool) -> bool {
        let counts = |c: char| c.is_alphanumeric() || c == '_';
        if folded.bytes().all(|byte| counts(char::from(byte)) && byte.is_ascii()) {
            return false;
        }
        let bare: String = folded.chars().filter(|c| counts(*c)).collect();
        bare != folded && Self::of(&bare, gemini).is_some()
    }

    fn of_gemini(folded: &str) -> Option<(Self, &'static [&'static str])> {
        Some(match folded {
            "model" => (Self::Model, &["model"]),
            "generationconfig" | "generation_config" => {
                (Self::GenerationConfig, &["generationConfig", "generation_config"])
            }
            "generatecontentrequest" | "generate_content_request" => {
                (Self::GenerateContentRequest, &["generateContentRequest", "generate_content_request"])
            }
            _ => return Self::routing(folded),
        })
    }

    fn routing(folded: &str) -> Option<(Self, &'static [&'static str])> {
        routing_field(folded).map(|field| (Self::Routing(field), &[][..]))
    }
}

/// A name as a server that ignores case could read it: letters that only look unlike in upper case are alike, too
/// (`ſ` is `s`, the Kelvin sign is `k`).
pub(super) fn fold(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect())
}
