//! Takes from a stream the count that the gateway asked for and the client did not.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Bytes of an event that are held back until it is whole. A longer one is no count, and passes.
const EVENT_BYTES_MAX: usize = 256 << 10;

/// Bytes of the longest end of an event, `\r\n\r\n`, but one.
const END_BYTES_MAX: usize = 3;

/// Passes every event of OpenAI's streams but the one that only counts.
#[derive(Debug, Default)]
pub(crate) struct CountStripper {
    held: BytesMut,
    /// The rest of an event that is too long to be a count.
    passing: bool,
}

/// An event that only counts has no choices.
#[derive(Deserialize)]
struct Chunk {
    choices: Vec<IgnoredAny>,
    usage: Option<IgnoredAny>,
}

impl CountStripper {
    /// Takes the next bytes, and returns those that may pass.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Bytes {
        self.held.extend_from_slice(bytes);
        let mut passed = BytesMut::new();
        while let Some(end) = end_of_event(&self.held) {
            let event = self.held.split_to(end);
            if std::mem::take(&mut self.passing) || !is_count(&event) {
                passed.extend_from_slice(&event);
            }
        }
        if self.passing || self.held.len() > EVENT_BYTES_MAX {
            self.passing = true;
            // The last bytes may be the beginning of its end.
            let keep = self.held.len().saturating_sub(END_BYTES_MAX);
            passed.extend_from_slice(&self.held.split_to(keep));
        }
        passed.freeze()
    }

    /// What is left at the end of the stream.
    pub(crate) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }
}

/// Where the first event ends: behind an empty line.
fn end_of_event(bytes: &[u8]) -> Option<usize> {
    let ends: [&[u8]; 2] = [b"\n\n", b"\r\n\r\n"];
    let found =
        |end: &&[u8]| bytes.windows(end.len()).position(|window| window == *end).map(|at| at.saturating_add(end.len()));
    ends.iter().filter_map(found).min()
}

fn is_count(event: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(event) else { return false };
    let mut data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let (Some(data), None) = (data.next(), data.next()) else { return false };
    serde_json::from_str::<Chunk>(data).is_ok_and(|chunk| chunk.choices.is_empty() && chunk.usage.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_taken_and_nothing_else() {
        let one = "data: {\"choices\":[{\"delta\":{}}],\"usage\":null}\n\n";
        let count = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n";
        let filters = "data: {\"choices\":[],\"prompt_filter_results\":[]}\r\n\r\n";
        let done = "data: [DONE]\n\n";
        let stream = [filters, one, count, done, "data: cut"].concat();
        for size in [1, 2, 5, 64, 4_096] {
            let mut stripper = CountStripper::default();
            let mut passed: Vec<u8> = stream.as_bytes().chunks(size).flat_map(|part| stripper.pass(part)).collect();
            passed.extend_from_slice(&stripper.rest());
            assert_eq!(String::from_utf8(passed).unwrap(), [filters, one, done, "data: cut"].concat(), "{size}");
        }
    }

    #[test]
    fn a_long_event_is_not_held() {
        let long = format!("data: {{\"choices\":[\"{}\"]}}\n\n", "x".repeat(2 * EVENT_BYTES_MAX));
        let count = "data: {\"choices\":[],\"usage\":{}}\n\n";
        let mut stripper = CountStripper::default();
        let stream = [long.as_str(), count].concat();
        let mut passed = Vec::new();
        for part in stream.as_bytes().chunks(10_000) {
            passed.extend_from_slice(&stripper.pass(part));
            assert!(stripper.held.len() <= EVENT_BYTES_MAX + 10_000);
        }
        passed.extend_from_slice(&stripper.rest());
        assert_eq!(String::from_utf8(passed).unwrap(), long);
    }
}
