//! The ways of speaking that clients have.

use http::HeaderMap;

/// The header by which a client says that it speaks Anthropic's dialect.
pub const ANTHROPIC_VERSION: &str = "anthropic-version";

/// How a client speaks: the form of its requests, and of the errors that it understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `/v1/chat/completions` and its neighbours.
    OpenAi,
    /// `/openai/deployments/{model}/…`: the model in the path, otherwise as OpenAI.
    Azure,
    /// `/v1/messages`, and `/v1/models` where `anthropic-version` is sent.
    Anthropic,
    /// `/v1beta/models/{model}:generateContent` and its neighbours.
    Gemini,
}

impl Dialect {
    /// The dialect of a request, whether or not its route exists, so that a denial can be understood.
    #[must_use]
    pub fn of(path: &str, headers: &HeaderMap) -> Self {
        // What stands in the path says more than a header, which clients send along everywhere.
        if path.starts_with("/openai/") {
            return Self::Azure;
        }
        if path.starts_with("/v1beta/") {
            return Self::Gemini;
        }
        if path == "/v1/messages" || path.starts_with("/v1/messages/") {
            return Self::Anthropic;
        }
        let spoken_by_both = path == "/v1/models" || path.starts_with("/v1/models/") || !path.starts_with("/v1/");
        if spoken_by_both && headers.contains_key(ANTHROPIC_VERSION) { Self::Anthropic } else { Self::OpenAi }
    }

    /// The name in event lines: `openai`, `azure`, `anthropic` or `gemini`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Azure => "azure",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}
