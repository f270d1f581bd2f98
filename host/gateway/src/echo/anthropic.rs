//! Answers as Anthropic gives them.

use http::Response;
use serde_json::{Value, json};

use super::ask::Ask;
use super::reply::{self, event};
use crate::body::Source;

fn message(ask: &Ask, model: &str, content: Value, stop_reason: Option<&str>, output_tokens: u64) -> Value {
    json!({
        "id": "msg_echo", "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": stop_reason, "stop_sequence": null,
        "usage": {
            "input_tokens": ask.input_tokens, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "output_tokens": output_tokens,
        },
    })
}

fn stop_reason(ask: &Ask) -> &'static str {
    if ask.is_cut() { "max_tokens" } else { "end_turn" }
}

pub(super) fn messages(ask: &Ask, model: &str) -> Response<Source> {
    if !ask.stream {
        let content = json!([{"type": "text", "text": ask.words().concat()}]);
        return reply::json(&message(ask, model, content, Some(stop_reason(ask)), ask.output_tokens()));
    }
    let mut events = vec![
        json!({"type": "message_start", "message": message(ask, model, json!([]), None, 1)}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
    ];
    let delta =
        |word: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}});
    events.extend(ask.words().into_iter().map(delta));
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": stop_reason(ask), "stop_sequence": null},
            "usage": {"output_tokens": ask.output_tokens()}}),
        json!({"type": "message_stop"}),
    ]);
    reply::stream(events.iter().map(event))
}

pub(super) fn count_tokens(ask: &Ask) -> Response<Source> {
    reply::json(&json!({"input_tokens": ask.input_tokens}))
}
