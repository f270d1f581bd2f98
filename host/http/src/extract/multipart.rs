//! Reads a multipart form, strictly: whatever another parser could read otherwise is refused.

use std::ops::Range;

use memchr::memmem;

use super::asked::Reading;
use super::field_name;
use super::key::Key;
use super::limits::PARTS_MAX;
use super::part_head::PartHead;
use super::settings;
use crate::catalogue::ModelId;
use crate::reply::{Invalid, Refusal};

/// The headers of one part, in bytes: a name, a file's name, a type.
const PART_HEADERS_BYTES_MAX: usize = 2_048;

/// A field that is read, in bytes: longer ones are texts and files.
const FIELD_BYTES_MAX: usize = 512;

/// Reads a whole form.
pub(super) fn read(body: &[u8], boundary: &str) -> Result<Reading, Refusal> {
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(delimiter.as_bytes());
    let opening = delimiter.as_bytes().get(2..).unwrap_or_default();
    let traps = Traps::of(boundary);
    // Nothing may stand before the first part: some parsers would take it for one.
    let mut rest = body.strip_prefix(opening).ok_or(Invalid::Form)?;
    let mut form = Form { reading: Reading { form: true, ..Reading::default() }, names: Vec::new() };
    for _ in 0..=PARTS_MAX {
        if let Some(end) = rest.strip_prefix(b"--") {
            return if matches!(end, b"" | b"\r\n") { Ok(form.reading) } else { Err(Invalid::Form.into()) };
        }
        let part = rest.strip_prefix(b"\r\n").ok_or(Invalid::Form)?;
        let length = finder.find(part).ok_or(Invalid::Form)?;
        let (part, behind) = part.split_at_checked(length).ok_or(Invalid::Form)?;
        if traps.stand_in(part) {
            return Err(Invalid::Form.into());
        }
        form.part(part, body)?;
        rest = behind.get(delimiter.len()..).ok_or(Invalid::Form)?;
    }
    Err(Invalid::Form.into())
}

/// What ends a part for other parsers, and not by the rules.
///
/// Some take a boundary behind a bare line feed or carriage return, some one in the middle of a line, some one with
/// anything behind it, and some keep the quotes in which the head of the request wrote it. A boundary is made up so
/// that no content holds it: wherever it stands in a part, it was put there to be read.
struct Traps {
    plain: memmem::Finder<'static>,
    quoted: memmem::Finder<'static>,
}

impl Traps {
    fn of(boundary: &str) -> Self {
        let finder = |text: String| memmem::Finder::new(text.as_bytes()).into_owned();
        Self { plain: finder(format!("--{boundary}")), quoted: finder(format!("--\"{boundary}")) }
    }

    fn stand_in(&self, part: &[u8]) -> bool {
        self.plain.find(part).is_some() || self.quoted.find(part).is_some()
    }
}

struct Form {
    reading: Reading,
    /// Names of the fields that were read.
    names: Vec<Key>,
}

impl Form {
    fn part(&mut self, part: &[u8], body: &[u8]) -> Result<(), Refusal> {
        let window = part.get(..part.len().min(PART_HEADERS_BYTES_MAX)).unwrap_or(part);
        let end = memmem::find(window, b"\r\n\r\n").ok_or(Invalid::Form)?;
        let (headers, content) = part.split_at_checked(end).ok_or(Invalid::Form)?;
        let content = content.get(4..).ok_or(Invalid::Form)?;
        let headers = std::str::from_utf8(headers).map_err(|_| Refusal::MediaTypeUnsupported)?;
        let head = PartHead::read(headers, content.len())?;
        let Some((key, spellings)) = field_name::key(&head.name)? else { return Ok(()) };
        if let Key::Routing(field) = key {
            self.reading.routing.push(field);
            return Ok(());
        }
        if !spellings.contains(&head.name.as_str()) || head.is_file {
            return Err(Invalid::KeyDisguised.into());
        }
        // What is read as another type, or in other letters, may be another text.
        if !head.is_plain_text {
            return Err(Refusal::MediaTypeUnsupported);
        }
        if self.names.contains(&key) {
            return Err(Invalid::KeyRepeated.into());
        }
        self.names.push(key);
        if content.len() > FIELD_BYTES_MAX {
            return Err(Invalid::Form.into());
        }
        let text = std::str::from_utf8(content).map_err(|_| Refusal::MediaTypeUnsupported)?;
        Ok(self.field(key, text, place(content, body))?)
    }

    fn field(&mut self, key: Key, text: &str, at: Range<usize>) -> Result<(), Invalid> {
        let reading = &mut self.reading;
        match key {
            Key::Model => {
                reading.model = Some(ModelId::new(text)?);
                reading.model_at = Some(at);
            }
            Key::Stream => reading.stream = settings::form_flag(text, "stream")?,
            Key::Choices(name) => reading.choices = reading.choices.max(settings::count(text, name)?),
            Key::OutputTokensMax(name) => {
                reading.output_tokens_max = reading.output_tokens_max.max(settings::count(text, name)?);
            }
            Key::StreamOptions | Key::Tools | Key::GenerationConfig | Key::GenerateContentRequest | Key::Routing(_) => {
                return Err(Invalid::Form);
            }
        }
        Ok(())
    }
}

/// Where a part of the body stands in it.
fn place(part: &[u8], body: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(body.as_ptr().addr());
    start..start.saturating_add(part.len())
}
