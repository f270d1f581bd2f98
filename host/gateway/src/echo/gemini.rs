//! Answers as Gemini gives them.

use http::Response;
use serde_json::{Value, json};

use super::ask::Ask;
use super::reply::{self, data};
use crate::body::Source;

pub(super) fn content(ask: &Ask, model: &str, stream: bool, events: bool) -> Response<Source> {
    let content = |text: &str, reason: Option<&str>| {
        let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": [{"text": text}]}});
        if let (Some(reason), Some(fields)) = (reason, candidate.as_object_mut()) {
            fields.insert("finishReason".to_owned(), reason.into());
        }
        let (input, output) = (ask.input_tokens, ask.output_tokens());
        json!({
            "candidates": [candidate], "modelVersion": model,
            "usageMetadata": {"promptTokenCount": input, "candidatesTokenCount": output,
                "totalTokenCount": input.saturating_add(output)},
        })
    };
    let reason = if ask.is_cut() { "MAX_TOKENS" } else { "STOP" };
    if !stream {
        return reply::json(&content(&ask.words().concat(), Some(reason)));
    }
    let mut chunks: Vec<Value> = ask.words().into_iter().map(|word| content(word, None)).collect();
    chunks.push(content("", Some(reason)));
    if events {
        return reply::stream(chunks.iter().map(data));
    }
    reply::json(&Value::Array(chunks))
}
