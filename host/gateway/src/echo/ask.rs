//! What a request asks, as far as the answer depends on it.

use serde_json::Value;

/// Bytes of one token, by rule of thumb: good enough for a provider that costs nothing.
const TOKEN_BYTES: usize = 4;

/// A request.
pub(super) struct Ask {
    /// The last words of the user.
    pub(super) text: String,
    /// Each text that is to be embedded.
    pub(super) inputs: Vec<String>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) base64: bool,
    pub(super) input_tokens: u64,
    pub(super) output_tokens_max: Option<usize>,
}

impl Ask {
    pub(super) fn read(body: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        let text = ["messages", "input", "prompt", "contents"]
            .into_iter()
            .filter_map(|name| value.get(name))
            .find_map(last_text)
            .unwrap_or_else(|| "hello".to_owned());
        let inputs = match value.get("input") {
            Some(Value::Array(inputs)) => inputs.iter().map(Value::to_string).collect(),
            _ => vec![text.clone()],
        };
        let output_tokens_max = ["max_tokens", "max_completion_tokens", "max_output_tokens"]
            .into_iter()
            .find_map(number)
            .and_then(|tokens| usize::try_from(tokens).ok());
        Self {
            input_tokens: tokens(body.len()),
            stream: value.get("stream").and_then(Value::as_bool).unwrap_or(false),
            include_usage: value.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false),
            base64: value.get("encoding_format").and_then(Value::as_str) == Some("base64"),
            text,
            inputs,
            output_tokens_max,
        }
    }

    /// The words of the answer. Together they are its text; each is at most one token of the limit.
    pub(super) fn words(&self) -> Vec<&str> {
        let words = self.text.split_inclusive(' ');
        words.take(self.output_tokens_max.unwrap_or(usize::MAX)).collect()
    }

    /// Whether the limit cut the answer.
    pub(super) fn is_cut(&self) -> bool {
        self.output_tokens_max.is_some_and(|most| self.text.split_inclusive(' ').count() > most)
    }

    /// Tokens of the answer: never more than the limit.
    pub(super) fn output_tokens(&self) -> u64 {
        u64::try_from(self.words().len()).unwrap_or(u64::MAX)
    }
}

/// Tokens of a text of this many bytes, at least one.
pub(super) fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(TOKEN_BYTES)).unwrap_or(u64::MAX).max(1)
}

/// The last text in a value: a text, a list of texts or of messages, or a message with its content.
fn last_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(values) => values.iter().rev().find_map(last_text),
        Value::Object(fields) => {
            ["content", "text", "parts"].iter().filter_map(|name| fields.get(*name)).find_map(last_text)
        }
        _ => None,
    }
}
