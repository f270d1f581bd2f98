//! The built-in provider: it answers every request with its own last words, in every dialect, streaming too.
//!
//! With it the gateway can be tried without a file and without a key. The same request has the same answer.

mod anthropic;
mod ask;
mod gemini;
mod openai;
mod reply;

use bytes::Bytes;
use http::Response;

use crate::body::Source;
use ask::Ask;

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// OpenAI's chat.
    Chat,
    /// OpenAI's completions of a text.
    Completions,
    /// OpenAI's responses.
    Responses,
    /// OpenAI's embeddings.
    Embeddings,
    /// OpenAI's images.
    Images,
    /// OpenAI's speech from a text.
    Speech,
    /// OpenAI's text from speech.
    Transcription,
    /// Anthropic's messages.
    Messages,
    /// Anthropic's count of tokens.
    CountTokens,
    /// Gemini's content.
    Gemini {
        /// As a stream.
        stream: bool,
        /// As server-sent events, or else as a list.
        events: bool,
    },
}

/// Answers a request for a model.
pub(crate) fn answer(form: Form, model: &str, body: &Bytes) -> Response<Source> {
    let ask = Ask::read(body);
    match form {
        Form::Chat => openai::chat(&ask, model),
        Form::Completions => openai::completions(&ask, model),
        Form::Responses => openai::responses(&ask, model),
        Form::Embeddings => openai::embeddings(&ask, model),
        Form::Images => openai::images(),
        Form::Speech => openai::speech(&ask),
        Form::Transcription => openai::transcription(),
        Form::Messages => anthropic::messages(&ask, model),
        Form::CountTokens => anthropic::count_tokens(&ask),
        Form::Gemini { stream, events } => gemini::content(&ask, model, stream, events),
    }
}
