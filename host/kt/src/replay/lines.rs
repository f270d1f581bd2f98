//! Lines of an input that nobody vouches for.

use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};

/// The longest line that is read: sixteen times the largest request that the component takes by default. A longer
/// one is skipped without being held.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// A line with its number, from 1 on.
pub(crate) struct Line {
    pub(crate) number: u64,
    /// The text without its end, or what is wrong with it.
    pub(crate) text: Result<String, BadLine>,
}

/// Why a line is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadLine {
    /// Longer than [`LINE_BYTES_MAX`].
    TooLong,
    /// Not UTF-8, from this byte on, counted from 1.
    NotUtf8 { at: usize },
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {LINE_BYTES_MAX} bytes: a record stands on one line of its own"),
            Self::NotUtf8 { at } => write!(f, "not UTF-8 at byte {at}: save the file as UTF-8"),
        }
    }
}

/// Reads lines and skips the blank ones.
pub(crate) struct Lines<R> {
    input: BufReader<R>,
    number: u64,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(BUFFER_BYTES, input), number: 0 }
    }

    /// Whether the next line may have to be waited for.
    pub(crate) fn may_wait(&self) -> bool {
        self.input.buffer().is_empty()
    }

    /// The next line that is not blank; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let Some(bytes) = self.read()? else { return Ok(None) };
            self.number = self.number.saturating_add(1);
            let text = bytes.and_then(|bytes| self.decode(bytes));
            match &text {
                Ok(text) if text.bytes().all(|byte| byte.is_ascii_whitespace()) => {}
                _ => return Ok(Some(Line { number: self.number, text })),
            }
        }
    }

    fn decode(&self, bytes: Vec<u8>) -> Result<String, BadLine> {
        let text = String::from_utf8(bytes)
            .map_err(|error| BadLine::NotUtf8 { at: error.utf8_error().valid_up_to().saturating_add(1) })?;
        // Some editors begin a file with a mark that JSON does not know.
        match text.strip_prefix('\u{feff}') {
            Some(rest) if self.number == 1 => Ok(rest.to_owned()),
            _ => Ok(text),
        }
    }

    /// The bytes of the next line; `None` at the end.
    fn read(&mut self) -> io::Result<Option<Result<Vec<u8>, BadLine>>> {
        let mut line = Vec::new();
        let (mut any, mut too_long) = (false, false);
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let (part, consumed) = match end {
                Some(end) => (buffer.get(..end).unwrap_or_default(), end.saturating_add(1)),
                None => (buffer, buffer.len()),
            };
            any |= consumed > 0;
            if line.len().saturating_add(part.len()) > LINE_BYTES_MAX {
                too_long = true;
                line = Vec::new();
            }
            if !too_long {
                line.extend_from_slice(part);
            }
            self.input.consume(consumed);
            if end.is_some() || consumed == 0 {
                return Ok(any.then_some(if too_long { Err(BadLine::TooLong) } else { Ok(line) }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<(u64, Result<String, BadLine>)> {
        let mut lines = Lines::new(input);
        std::iter::from_fn(|| lines.next().unwrap()).map(|line| (line.number, line.text)).collect()
    }

    fn text(text: &str) -> Result<String, BadLine> {
        Ok(text.to_owned())
    }

    #[test]
    fn blank_lines_are_skipped_and_counted() {
        assert_eq!(all(b"\n a \r\n \t\r\n\nb"), [(2, text(" a \r")), (5, text("b"))]);
        assert_eq!(all(b""), []);
        assert_eq!(all(b"\n\n"), []);
    }

    #[test]
    fn what_is_not_utf8_is_one_bad_line() {
        assert_eq!(all(b"a\nb\xffc\nd\n"), [(1, text("a")), (2, Err(BadLine::NotUtf8 { at: 2 })), (3, text("d"))]);
    }

    #[test]
    fn a_line_at_the_limit_is_read_and_a_longer_one_is_skipped() {
        let mut input = vec![b'x'; LINE_BYTES_MAX];
        input.push(b'\n');
        input.extend(vec![b'y'; LINE_BYTES_MAX + 1]);
        input.extend(b"\nz\n");
        let lines = all(&input);
        assert_eq!(lines[0].1.as_ref().unwrap().len(), LINE_BYTES_MAX);
        assert_eq!(lines[1..], [(2, Err(BadLine::TooLong)), (3, text("z"))]);
    }

    #[test]
    fn a_mark_at_the_start_of_the_file_is_dropped() {
        assert_eq!(all("\u{feff}a\n\u{feff}b".as_bytes()), [(1, text("a")), (2, text("\u{feff}b"))]);
    }
}
