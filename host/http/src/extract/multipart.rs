//! Reads a multipart form, strictly: whatever another parser could read otherwise is refused.

use std::ops::Range;

use memchr::memmem;

use super::asked::Reading;
use super::key::{self, Key};
use super::limits::PARTS_MAX;
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
        form.part(part, body)?;
        rest = behind.get(delimiter.len()..).ok_or(Invalid::Form)?;
    }
    Err(Invalid::Form.into())
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
        let disposition = disposition(headers)?;
        let folded = key::fold(&disposition.name);
        // `model[]` is read as `model` by some.
        let stem = folded.split(['[', '.']).next().unwrap_or_default();
        let Some((key, spellings)) = Key::of(stem, false) else { return Ok(()) };
        if key == Key::Reroutes {
            return Err(Invalid::KeyReroutes.into());
        }
        if !spellings.contains(&disposition.name.as_str()) || disposition.is_file {
            return Err(Invalid::KeyDisguised.into());
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
            Key::StreamOptions | Key::Tools | Key::GenerationConfig | Key::GenerateContentRequest | Key::Reroutes => {
                return Err(Invalid::Form);
            }
        }
        Ok(())
    }
}

/// What a part says of itself.
struct Disposition {
    name: String,
    is_file: bool,
}

/// Reads the headers of a part. The only ones that matter are those that say what it is.
fn disposition(headers: &str) -> Result<Disposition, Invalid> {
    let mut found = None;
    for line in headers.split("\r\n") {
        if line.contains(char::is_control) {
            return Err(Invalid::Form);
        }
        let (name, value) = line.split_once(':').ok_or(Invalid::Form)?;
        if name.eq_ignore_ascii_case("content-disposition") {
            if found.replace(parameters(value.trim())?).is_some() {
                return Err(Invalid::Form);
            }
        } else if name.eq_ignore_ascii_case("content-transfer-encoding") {
            // Its content would not be what stands there.
            if !matches!(value.trim().to_ascii_lowercase().as_str(), "binary" | "8bit" | "7bit") {
                return Err(Invalid::Form);
            }
        } else if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(Invalid::Form);
        }
    }
    found.ok_or(Invalid::Form)
}

/// `form-data; name="…"`, and perhaps `filename="…"`.
fn parameters(value: &str) -> Result<Disposition, Invalid> {
    let mut rest = strip_word(value, "form-data").ok_or(Invalid::Form)?;
    let (mut name, mut is_file) = (None, false);
    while !rest.is_empty() {
        let parameter = rest.strip_prefix(';').ok_or(Invalid::Form)?.trim_start_matches(' ');
        let (key, behind) = parameter.split_once("=\"").ok_or(Invalid::Form)?;
        let (text, behind) = behind.split_once('"').ok_or(Invalid::Form)?;
        match key {
            // A backslash would hide a quote from some parsers and not from others.
            "name" if name.is_none() && !text.contains('\\') => name = Some(text.to_owned()),
            "filename" if !is_file && !text.contains('\\') => is_file = true,
            _ => return Err(Invalid::Form),
        }
        rest = behind.trim_start_matches(' ');
    }
    Ok(Disposition { name: name.ok_or(Invalid::Form)?, is_file })
}

fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word).then_some(rest)
}

/// Where a part of the body stands in it.
fn place(part: &[u8], body: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(body.as_ptr().addr());
    start..start.saturating_add(part.len())
}
