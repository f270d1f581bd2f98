//! What a part of a form says of itself.

use super::media_type::is_utf8;
use crate::reply::Invalid;

/// The headers of a part that are understood. Others are none of a form's, and are refused.
const KNOWN: [&str; 5] =
    ["content-disposition", "content-length", "content-transfer-encoding", "content-type", "mime-version"];

/// What a part says of itself.
pub(super) struct PartHead {
    pub(super) name: String,
    pub(super) is_file: bool,
    /// Whether its content is text in UTF-8, which is what nobody says otherwise.
    pub(super) is_plain_text: bool,
}

impl PartHead {
    /// Reads the headers of a part with a content of so many bytes.
    ///
    /// # Errors
    ///
    /// [`Invalid::Form`] for whatever another parser could read otherwise: a header twice, folded or unknown, a line
    /// end that is none, a content that is encoded, is of another length or holds parts itself.
    pub(super) fn read(headers: &str, content_bytes: usize) -> Result<Self, Invalid> {
        let mut seen: Vec<&'static str> = Vec::with_capacity(4);
        let mut disposition = None;
        let mut is_plain_text = true;
        for line in headers.split("\r\n") {
            let (name, value) = line.split_once(':').ok_or(Invalid::Form)?;
            let value = value.trim_matches(' ');
            if line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
                return Err(Invalid::Form);
            }
            let known = KNOWN.into_iter().find(|known| name.eq_ignore_ascii_case(known)).ok_or(Invalid::Form)?;
            if seen.contains(&known) {
                return Err(Invalid::Form);
            }
            seen.push(known);
            match known {
                "content-disposition" => disposition = Some(parameters(value)?),
                "content-type" => is_plain_text = plain_text(value)?,
                "content-length" if value != content_bytes.to_string() => return Err(Invalid::Form),
                // Its content would not be what stands there.
                "content-transfer-encoding"
                    if !["binary", "8bit", "7bit"].iter().any(|coding| value.eq_ignore_ascii_case(coding)) =>
                {
                    return Err(Invalid::Form);
                }
                _ => {}
            }
        }
        let (name, is_file) = disposition.ok_or(Invalid::Form)?;
        Ok(Self { name, is_file, is_plain_text })
    }
}

/// Whether a type is that of plain text in UTF-8.
fn plain_text(value: &str) -> Result<bool, Invalid> {
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    let essence = essence.trim_matches(' ').to_ascii_lowercase();
    if essence.starts_with("multipart/") || essence.starts_with("message/") {
        // It holds parts of its own, which some parsers add to those of the form.
        return Err(Invalid::Form);
    }
    let parameters = parameters.trim_matches(' ');
    Ok(essence == "text/plain" && (parameters.is_empty() || is_utf8(parameters)))
}

/// The name that `form-data; name="…"` says, and whether `filename="…"` stands there, too.
fn parameters(value: &str) -> Result<(String, bool), Invalid> {
    let mut rest = value.strip_prefix("form-data").ok_or(Invalid::Form)?;
    let (mut name, mut is_file) = (None, false);
    while !rest.is_empty() {
        let parameter = rest.strip_prefix(';').ok_or(Invalid::Form)?.trim_start_matches(' ');
        let (key, behind) = parameter.split_once("=\"").ok_or(Invalid::Form)?;
        let (text, behind) = behind.split_once('"').ok_or(Invalid::Form)?;
        // A backslash would hide a quote from some parsers and not from others.
        match key {
            "name" if name.is_none() && !text.contains('\\') => name = Some(text.to_owned()),
            "filename" if !is_file && !text.contains('\\') && !holds_parameter(text) => is_file = true,
            _ => return Err(Invalid::Form),
        }
        rest = behind.trim_start_matches(' ');
    }
    Ok((name.ok_or(Invalid::Form)?, is_file))
}

/// Whether a file's name holds what a parser that does not heed quotes takes for another parameter.
fn holds_parameter(text: &str) -> bool {
    let dense: String = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect();
    dense.contains("name=") || dense.contains("name*")
}
