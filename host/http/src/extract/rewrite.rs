//! The body that a provider gets: the client's, with the model as the provider names it.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::asked::Asked;

/// A part of the body, and what takes its place.
type Edit = (Range<usize>, String);

impl Asked {
    /// The body for a provider: byte for byte the client's, but for the model, which is written as the provider
    /// names it. With `include_usage`, the provider is asked to count in a stream, too, in OpenAI's way. `body` is
    /// the one that was read.
    #[must_use]
    pub fn body_for(&self, body: &Bytes, model: &str, include_usage: bool) -> Bytes {
        let mut edits: Vec<Edit> = Vec::with_capacity(2);
        if let Some(at) = &self.body.model_at {
            edits.push((at.clone(), self.written(model)));
        }
        if include_usage && !self.body.form && self.include_usage() != Some(true) {
            edits.push(self.usage_included(body));
        }
        edits.retain(|(at, text)| body.get(at.clone()) != Some(text.as_bytes()));
        if edits.is_empty() { body.clone() } else { apply(body, edits) }
    }

    /// The model as it stands in a body.
    fn written(&self, model: &str) -> String {
        if self.body.form {
            return model.to_owned();
        }
        let prefix = if self.body.model_prefixed { "models/" } else { "" };
        // A text can always be written.
        serde_json::to_string(&format!("{prefix}{model}")).unwrap_or_default()
    }

    fn usage_included(&self, body: &[u8]) -> Edit {
        const USAGE: &str = "\"include_usage\":true";
        if let Some(at) = &self.body.include_usage_at {
            return (at.clone(), "true".to_owned());
        }
        match &self.body.stream_options_at {
            Some(at) if body.get(at.start) == Some(&b'{') => first_field(body, at.start, USAGE),
            // It is `null`.
            Some(at) => (at.clone(), format!("{{{USAGE}}}")),
            None => {
                let start = body.iter().position(|byte| *byte == b'{').unwrap_or_default();
                first_field(body, start, &format!("\"stream_options\":{{{USAGE}}}"))
            }
        }
    }
}

/// Puts a field before all others of the object that begins there.
fn first_field(body: &[u8], start: usize, field: &str) -> Edit {
    let behind = start.saturating_add(1);
    let next = body.get(behind..).unwrap_or_default().iter().find(|byte| !byte.is_ascii_whitespace());
    let comma = if next == Some(&b'}') { "" } else { "," };
    (behind..behind, format!("{field}{comma}"))
}

fn apply(body: &Bytes, mut edits: Vec<Edit>) -> Bytes {
    edits.sort_by_key(|(at, _)| at.start);
    let added: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut edited = BytesMut::with_capacity(body.len().saturating_add(added));
    let mut from = 0;
    for (at, text) in edits {
        edited.extend_from_slice(body.get(from..at.start).unwrap_or_default());
        edited.extend_from_slice(text.as_bytes());
        from = at.end;
    }
    edited.extend_from_slice(body.get(from..).unwrap_or_default());
    edited.freeze()
}
