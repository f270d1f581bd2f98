//! What a provider says that a request used, read from its reply while the bytes pass through unchanged.

mod json;
mod sse;
mod strip;

use json::{Found, UsageScanner};
use serde::Deserialize;
use sse::Events;
pub(crate) use strip::CountStripper;

/// What one request used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens that were read, those from the provider's cache included.
    pub input_tokens: u64,
    /// Tokens of these that came from the provider's cache.
    pub cached_tokens: u64,
    /// Tokens that were written.
    pub output_tokens: u64,
}

impl Usage {
    /// Read and written together.
    #[must_use]
    pub fn total_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// Reads a reply as it passes.
#[derive(Debug)]
pub(crate) struct Meter {
    shape: Shape,
    said: Said,
}

#[derive(Debug)]
enum Shape {
    /// One JSON object.
    Json(UsageScanner),
    /// Events, each with a JSON object.
    Events { events: Events, scanner: UsageScanner },
    /// Anything else: nothing is read from it.
    Opaque,
}

impl Meter {
    /// A meter for a reply of this content type.
    pub(crate) fn new(content_type: Option<&str>) -> Self {
        let kind = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        let shape = if kind.eq_ignore_ascii_case("text/event-stream") {
            Shape::Events { events: Events::default(), scanner: UsageScanner::default() }
        } else if kind.eq_ignore_ascii_case("application/json") {
            Shape::Json(UsageScanner::default())
        } else {
            Shape::Opaque
        };
        Self { shape, said: Said::default() }
    }

    /// Reads the next bytes.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let Self { shape, said } = self;
        let mut note = |found: Found<'_>| said.note(found.object);
        match shape {
            Shape::Json(scanner) => scanner.read(bytes, &mut note),
            Shape::Events { events, scanner } => events.read(bytes, |part| match part {
                sse::Part::Begin => *scanner = UsageScanner::default(),
                sse::Part::Data(data) => scanner.read(data, &mut note),
            }),
            Shape::Opaque => {}
        }
    }

    /// Whether the reply is a stream of events.
    pub(crate) fn reads_events(&self) -> bool {
        matches!(self.shape, Shape::Events { .. })
    }

    /// What was said so far. A reply that says it in parts is right only at its end.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.said.usage()
    }
}

/// The fields of all dialects, as far as they were said. Later numbers stand for earlier ones: Anthropic's streams
/// count up.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    /// OpenAI's cached tokens are part of its input, Anthropic's are not.
    cached_within: Option<u64>,
    output: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    input_tokens_details: Option<Details>,
    #[serde(rename = "promptTokenCount")]
    gemini_input: Option<u64>,
    #[serde(rename = "candidatesTokenCount")]
    gemini_output: Option<u64>,
    #[serde(rename = "thoughtsTokenCount")]
    gemini_thoughts: Option<u64>,
    #[serde(rename = "cachedContentTokenCount")]
    gemini_cached: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Option<u64>,
}

impl Said {
    fn note(&mut self, object: &[u8]) {
        let Ok(fields) = serde_json::from_slice::<Fields>(object) else { return };
        let keep = |kept: &mut Option<u64>, said: Option<u64>| *kept = said.or(*kept);
        keep(&mut self.input, fields.prompt_tokens.or(fields.input_tokens).or(fields.gemini_input));
        let gemini = fields.gemini_output.map(|output| output.saturating_add(fields.gemini_thoughts.unwrap_or(0)));
        keep(&mut self.output, fields.completion_tokens.or(fields.output_tokens).or(gemini));
        keep(&mut self.cache_read, fields.cache_read_input_tokens);
        keep(&mut self.cache_write, fields.cache_creation_input_tokens);
        let details = fields.prompt_tokens_details.or(fields.input_tokens_details);
        keep(&mut self.cached_within, details.and_then(|details| details.cached_tokens).or(fields.gemini_cached));
    }

    fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let read = self.cache_read.unwrap_or(0);
        let input = self.input.unwrap_or(0).saturating_add(read).saturating_add(self.cache_write.unwrap_or(0));
        Some(Usage {
            input_tokens: input,
            cached_tokens: read.saturating_add(self.cached_within.unwrap_or(0)).min(input),
            output_tokens: self.output.unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metered(content_type: &str, reply: &str) -> Option<Usage> {
        // However the bytes are cut, the answer is the same.
        let cut = |size: usize| {
            let mut meter = Meter::new(Some(content_type));
            reply.as_bytes().chunks(size).for_each(|part| meter.read(part));
            meter.usage()
        };
        let whole = cut(usize::MAX);
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(cut(size), whole, "in parts of {size}");
        }
        whole
    }

    fn usage(input_tokens: u64, cached_tokens: u64, output_tokens: u64) -> Option<Usage> {
        Some(Usage { input_tokens, cached_tokens, output_tokens })
    }

    #[test]
    fn openai_says_it_at_the_end_of_an_object() {
        let reply = r#"{"id":"x","choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":9}","usage":{"prompt_tokens":8}}}],
            "usage": {"prompt_tokens": 12, "completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4}} }"#;
        assert_eq!(metered("application/json; charset=utf-8", reply), usage(12, 4, 3));
    }

    #[test]
    fn a_key_that_is_written_with_escapes_is_the_same_key() {
        assert_eq!(
            metered("application/json", r#"{"us\u0061ge":{"input_tokens":5,"output_tokens":1}}"#),
            usage(5, 0, 1)
        );
    }

    #[test]
    fn openai_says_it_in_the_last_chunk_of_a_stream() {
        let reply = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}],\"usage\":null}\n\n\
                     data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
        assert_eq!(metered("text/event-stream", reply), usage(7, 0, 2));
    }

    #[test]
    fn responses_say_it_within_the_last_event() {
        let reply = "event: response.completed\r\ndata: {\"type\":\"response.completed\",\"response\":\
                     {\"usage\":{\"input_tokens\":7,\"output_tokens\":2}}}\r\n\r\n";
        assert_eq!(metered("text/event-stream", reply), usage(7, 0, 2));
    }

    #[test]
    fn anthropic_says_it_at_the_start_and_counts_up() {
        let reply = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":20,\
                     \"cache_read_input_tokens\":5,\"output_tokens\":1}}}\n\n\
                     event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":15}}\n\n";
        assert_eq!(metered("text/event-stream", reply), usage(25, 5, 15));
    }

    #[test]
    fn gemini_says_it_in_every_chunk() {
        let reply = r#"{"candidates":[],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2,"thoughtsTokenCount":3}}"#;
        assert_eq!(metered("application/json", reply), usage(4, 0, 5));
    }

    #[test]
    fn what_is_no_usage_is_none() {
        assert_eq!(metered("application/json", r#"{"usage":"plenty"}"#), None);
        assert_eq!(metered("application/json", r#"{"usage":{"prompt_tokens":-1}}"#), None);
        assert_eq!(metered("application/json", "[[[[{{{"), None);
        assert_eq!(metered("audio/mpeg", r#"{"usage":{"input_tokens":5}}"#), None);
        assert_eq!(metered("text/event-stream", "data: {\"usage\":\n\ndata: {\"input_tokens\":1}}\n\n"), None);
    }
}
