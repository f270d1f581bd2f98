//! Answers as OpenAI gives them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use super::ask::{Ask, tokens};
use super::reply::{self, CREATED, data, event};
use crate::body::Source;

/// Numbers of an embedding.
const DIMENSIONS: usize = 8;

/// An image of one transparent point, in PNG and Base64.
const IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

const DONE: &str = "data: [DONE]\n\n";

fn finish_reason(ask: &Ask) -> &'static str {
    if ask.is_cut() { "length" } else { "stop" }
}

fn usage(ask: &Ask) -> Value {
    let (input, output) = (ask.input_tokens, ask.output_tokens());
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input.saturating_add(output)})
}

pub(super) fn chat(ask: &Ask, model: &str) -> Response<Source> {
    if ask.stream {
        return chat_stream(ask, model);
    }
    reply::json(&json!({
        "id": "chatcmpl-echo", "object": "chat.completion", "created": CREATED, "model": model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": ask.words().concat(), "refusal": null},
            "logprobs": null,
            "finish_reason": finish_reason(ask),
        }],
        "usage": usage(ask),
    }))
}

fn chat_stream(ask: &Ask, model: &str) -> Response<Source> {
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({"id": "chatcmpl-echo", "object": "chat.completion.chunk", "created": CREATED, "model": model,
            "choices": choices});
        if let (true, Some(fields)) = (ask.include_usage, chunk.as_object_mut()) {
            fields.insert("usage".to_owned(), usage);
        }
        data(&chunk)
    };
    let delta = |delta: Value, reason: Option<&str>| {
        chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]), Value::Null)
    };
    let mut parts = vec![delta(json!({"role": "assistant", "content": ""}), None)];
    parts.extend(ask.words().into_iter().map(|word| delta(json!({"content": word}), None)));
    parts.push(delta(json!({}), Some(finish_reason(ask))));
    if ask.include_usage {
        parts.push(chunk(json!([]), usage(ask)));
    }
    parts.push(DONE.to_owned());
    reply::stream(parts)
}

pub(super) fn completions(ask: &Ask, model: &str) -> Response<Source> {
    let completion = |text: &str, reason: Option<&str>| {
        json!({"id": "cmpl-echo", "object": "text_completion", "created": CREATED, "model": model,
            "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": reason}]})
    };
    let with_usage = |mut completion: Value| {
        if let Some(fields) = completion.as_object_mut() {
            fields.insert("usage".to_owned(), usage(ask));
        }
        completion
    };
    if !ask.stream {
        return reply::json(&with_usage(completion(&ask.words().concat(), Some(finish_reason(ask)))));
    }
    let mut parts: Vec<_> = ask.words().into_iter().map(|word| data(&completion(word, None))).collect();
    let last = completion("", Some(finish_reason(ask)));
    parts.push(data(&if ask.include_usage { with_usage(last) } else { last }));
    parts.push(DONE.to_owned());
    reply::stream(parts)
}

/// One item of a response, empty or with its text.
fn item(status: &str, content: Value) -> Value {
    json!({"type": "message", "id": "msg_echo", "status": status, "role": "assistant", "content": content})
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn response(ask: &Ask, model: &str, status: &str, output: Value) -> Value {
    let (input, written) = (ask.input_tokens, ask.output_tokens());
    let usage = json!({
        "input_tokens": input, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": written, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input.saturating_add(written),
    });
    json!({
        "id": "resp_echo", "object": "response", "created_at": CREATED, "status": status, "model": model,
        "error": null, "incomplete_details": null, "instructions": null, "metadata": {}, "output": output,
        "parallel_tool_calls": true, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "usage": if status == "completed" { usage } else { Value::Null },
    })
}

pub(super) fn responses(ask: &Ask, model: &str) -> Response<Source> {
    let text = ask.words().concat();
    let done = item("completed", json!([text_part(&text)]));
    let completed = response(ask, model, "completed", json!([done]));
    if !ask.stream {
        return reply::json(&completed);
    }
    let started = response(ask, model, "in_progress", json!([]));
    let place = |kind: &str| json!({"type": kind, "item_id": "msg_echo", "output_index": 0, "content_index": 0});
    let with = |mut value: Value, name: &str, field: Value| {
        if let Some(fields) = value.as_object_mut() {
            fields.insert(name.to_owned(), field);
        }
        value
    };
    let mut events = vec![
        json!({"type": "response.created", "response": started}),
        json!({"type": "response.in_progress", "response": started}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": item("in_progress", json!([]))}),
        with(place("response.content_part.added"), "part", text_part("")),
    ];
    let delta =
        |word: &str| with(with(place("response.output_text.delta"), "delta", word.into()), "logprobs", json!([]));
    events.extend(ask.words().into_iter().map(delta));
    events.extend([
        with(with(place("response.output_text.done"), "text", text.as_str().into()), "logprobs", json!([])),
        with(place("response.content_part.done"), "part", text_part(&text)),
        json!({"type": "response.output_item.done", "output_index": 0, "item": done}),
        json!({"type": "response.completed", "response": completed}),
    ]);
    let numbered = events.into_iter().enumerate().map(|(n, value)| event(&with(value, "sequence_number", n.into())));
    reply::stream(numbered)
}

pub(super) fn embeddings(ask: &Ask, model: &str) -> Response<Source> {
    let list: Vec<Value> = ask.inputs.iter().enumerate().map(|(n, input)| entry(ask, n, input)).collect();
    let tokens = ask.input_tokens;
    reply::json(
        &json!({"object": "list", "data": list, "model": model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}),
    )
}

fn entry(ask: &Ask, n: usize, input: &str) -> Value {
    let numbers = embedding(input);
    let embedding = if ask.base64 {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        Value::from(BASE64_STANDARD.encode(bytes))
    } else {
        json!(numbers)
    };
    json!({"object": "embedding", "index": n, "embedding": embedding})
}

/// Numbers between 0 and 1 that depend on the text.
fn embedding(text: &str) -> [f32; DIMENSIONS] {
    let mut sums = [0_u16; DIMENSIONS];
    for (n, byte) in text.bytes().enumerate() {
        if let Some(sum) = sums.get_mut(n % DIMENSIONS) {
            *sum = sum.wrapping_mul(31).wrapping_add(u16::from(byte));
        }
    }
    sums.map(|sum| f32::from(sum) / f32::from(u16::MAX))
}

pub(super) fn images() -> Response<Source> {
    reply::json(&json!({"created": CREATED, "data": [{"b64_json": IMAGE}]}))
}

pub(super) fn speech(ask: &Ask) -> Response<Source> {
    reply::whole("audio/mpeg", Bytes::from(ask.text.clone()))
}

pub(super) fn transcription() -> Response<Source> {
    let text = "hello";
    reply::json(
        &json!({"text": text, "usage": {"type": "tokens", "input_tokens": 1, "output_tokens": tokens(text.len())}}),
    )
}
