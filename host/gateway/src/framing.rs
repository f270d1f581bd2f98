//! Whether what a client sends is HTTP/1 that everybody reads in the same way.
//!
//! hyper takes a length beside chunks and drops it, two lengths where they are equal, lines that end with a bare line
//! feed, and extensions of chunks. A proxy in front that reads such a request otherwise sees it end elsewhere, and takes
//! the rest for the request of somebody else. So every byte is looked at before hyper gets it, whatever connection and
//! however many requests it comes with: heads line by line, bodies by their length or chunk by chunk. A line is judged
//! at its line feed, without which hyper does not act on it either.
//!
//! What passes is a part of HTTP/1 in which there is nothing to choose: lines end with CR LF and are not folded; names
//! are tokens up to their colon; a body has one length, in digits, or is `chunked` and nothing else; chunks have no
//! extensions. Everything else is a [`Flaw`]. HTTP/2 has no such lines: it is passed as it is.

/// How an HTTP/2 connection begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Digits of a length: more do not fit into what hyper counts with.
const LENGTH_DIGITS_MAX: usize = 18;

/// Digits of a chunk's size, for the same reason.
const CHUNK_DIGITS_MAX: usize = 15;

/// Bytes of all trailers of a body. Nobody reads them.
const TRAILER_BYTES_MAX: usize = 8 << 10;

/// Where a request cannot be read in one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// How many of the bytes were good.
    pub(crate) good: usize,
    /// Whether it is in the head of a request; otherwise it is in a body.
    pub(crate) in_head: bool,
    pub(crate) why: &'static str,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The preface of HTTP/2, of which so many bytes came, or the first request.
    Preface(usize),
    /// Frames of HTTP/2.
    Frames,
    /// The first line of a request, before which one empty line may stand.
    RequestLine { after_empty: bool },
    /// A header, or the end of them.
    Header,
    /// So many bytes of a body.
    Body(u64),
    /// The size of a chunk.
    ChunkSize,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The end of a chunk's line.
    ChunkEnd,
    /// A trailer, or the end of them.
    Trailer,
}

/// What the head of a request says of its body.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    is_http_1_0: bool,
    has_host: bool,
    length: Option<u64>,
    is_chunked: bool,
}

/// Reads along with hyper.
pub(crate) struct Framing {
    next: Next,
    /// What came of a line so far.
    line: Vec<u8>,
    /// Bytes of this head, or of these trailers, in lines that ended.
    lines_bytes: usize,
    head_bytes_max: usize,
    said: Said,
}

impl Framing {
    /// A new connection, whose heads are not longer than this.
    pub(crate) fn new(head_bytes_max: usize) -> Self {
        Self { next: Next::Preface(0), line: Vec::new(), lines_bytes: 0, head_bytes_max, said: Said::default() }
    }

    /// Reads on.
    ///
    /// # Errors
    ///
    /// [`Flaw`]; nothing can be read after it.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let taken = match self.next {
                Next::Frames => return Ok(()),
                Next::Preface(came) => self.preface(came, *first),
                Next::Body(left) => {
                    Ok(self.skip(left, rest.len(), Next::Body, Next::RequestLine { after_empty: false }))
                }
                Next::Chunk(left) => Ok(self.skip(left, rest.len(), Next::Chunk, Next::ChunkEnd)),
                Next::RequestLine { .. } | Next::Header | Next::ChunkSize | Next::ChunkEnd | Next::Trailer => {
                    self.take_line(rest)
                }
            };
            let in_head = matches!(self.next, Next::Preface(_) | Next::RequestLine { .. } | Next::Header);
            let good = bytes.len().saturating_sub(rest.len());
            let taken = taken.map_err(|why| Flaw { good, in_head, why })?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Takes a byte that may belong to the preface.
    fn preface(&mut self, came: usize, byte: u8) -> Result<usize, &'static str> {
        if PREFACE.get(came) == Some(&byte) {
            let came = came.saturating_add(1);
            self.next = if came == PREFACE.len() { Next::Frames } else { Next::Preface(came) };
            return Ok(1);
        }
        // It was the beginning of something else, and is read as that. The byte itself comes after it.
        self.next = Next::RequestLine { after_empty: false };
        let mut before = PREFACE.get(..came).unwrap_or_default();
        while !before.is_empty() {
            let taken = self.take_line(before)?;
            before = before.get(taken..).unwrap_or_default();
        }
        Ok(0)
    }

    /// Takes what is there of so many bytes.
    fn skip(&mut self, left: u64, there: usize, on: impl Fn(u64) -> Next, after: Next) -> usize {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(there);
        let left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
        self.next = if left == 0 { after } else { on(left) };
        taken
    }

    /// Takes bytes up to the end of the line, and judges the line where that is there.
    fn take_line(&mut self, bytes: &[u8]) -> Result<usize, &'static str> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end.saturating_add(1));
        let length = self.lines_bytes.saturating_add(self.line.len()).saturating_add(taken);
        let most = if self.next == Next::Trailer { TRAILER_BYTES_MAX } else { self.head_bytes_max };
        if length > most {
            return Err("it does not end");
        }
        self.line.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if end.is_some() {
            let mut line = std::mem::take(&mut self.line);
            self.judge(&line)?;
            self.lines_bytes = if self.is_between() { 0 } else { length };
            // The room is kept for the next line.
            line.clear();
            self.line = line;
        }
        Ok(taken)
    }

    /// Whether neither a head nor trailers are being read.
    fn is_between(&self) -> bool {
        !matches!(self.next, Next::Header | Next::Trailer)
    }

    fn judge(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let line = line.strip_suffix(b"\r\n").ok_or("a line ends with a bare line feed")?;
        self.next = match self.next {
            Next::RequestLine { after_empty: false } if line.is_empty() => Next::RequestLine { after_empty: true },
            Next::RequestLine { .. } => {
                self.said = Said { is_http_1_0: is_http_1_0(line)?, ..Said::default() };
                Next::Header
            }
            Next::Header if line.is_empty() => self.after_head()?,
            Next::Header => {
                self.header(line)?;
                Next::Header
            }
            Next::ChunkSize => match chunk_size(line)? {
                0 => Next::Trailer,
                size => Next::Chunk(size),
            },
            Next::ChunkEnd if line.is_empty() => Next::ChunkSize,
            Next::ChunkEnd => return Err("a chunk is longer than it says"),
            Next::Trailer if line.is_empty() => Next::RequestLine { after_empty: false },
            Next::Trailer => {
                let (name, _) = field(line)?;
                if is_framing(name) {
                    return Err("a trailer says where the body ends");
                }
                Next::Trailer
            }
            next @ (Next::Preface(_) | Next::Frames | Next::Body(_) | Next::Chunk(_)) => next,
        };
        Ok(())
    }

    fn header(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let (name, value) = field(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            if self.said.length.is_some() {
                return Err("two lengths");
            }
            self.said.length = Some(length(value)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.said.is_chunked {
                return Err("two transfer encodings");
            }
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err("another transfer encoding than `chunked`");
            }
            self.said.is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") {
            if self.said.has_host {
                return Err("two hosts");
            }
            self.said.has_host = true;
        }
        Ok(())
    }

    fn after_head(&self) -> Result<Next, &'static str> {
        match (self.said.length, self.said.is_chunked) {
            (Some(_), true) => Err("a length and a transfer encoding"),
            (None, true) if self.said.is_http_1_0 => Err("a transfer encoding in HTTP/1.0"),
            (None, true) => Ok(Next::ChunkSize),
            (Some(0) | None, false) => Ok(Next::RequestLine { after_empty: false }),
            (Some(length), false) => Ok(Next::Body(length)),
        }
    }
}

/// Whether a request's first line is one of HTTP/1.0; it is one of HTTP/1.1 otherwise.
fn is_http_1_0(line: &[u8]) -> Result<bool, &'static str> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("the first line is not method, target and version with one blank between them");
    };
    if !is_token(method) {
        return Err("the method is no token");
    }
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err("the target holds something else than visible ASCII characters");
    }
    match version {
        b"HTTP/1.1" => Ok(false),
        b"HTTP/1.0" => Ok(true),
        _ => Err("the version is neither HTTP/1.1 nor HTTP/1.0"),
    }
}

/// The name and the value of a field.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or("a header without a colon")?;
    let (name, value) = line.split_at_checked(colon).ok_or("a header without a colon")?;
    if !is_token(name) {
        // Blanks before the colon, and lines that go on from the one before, are found here, too.
        return Err("the name of a header is no token");
    }
    let value = value.strip_prefix(b":").unwrap_or(value);
    if !value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..)) {
        return Err("a header holds a control character");
    }
    Ok((name, trimmed(value)))
}

/// Without blanks and tabs around it, and nothing else.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn is_token(name: &[u8]) -> bool {
    let is_mark = |byte: &u8| b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}

/// Whether a header of this name says where a message ends, or whose it is.
fn is_framing(name: &[u8]) -> bool {
    [&b"content-length"[..], b"transfer-encoding", b"host"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn length(value: &[u8]) -> Result<u64, &'static str> {
    number(value, LENGTH_DIGITS_MAX, 10).ok_or("a length that is no number")
}

fn chunk_size(line: &[u8]) -> Result<u64, &'static str> {
    number(line, CHUNK_DIGITS_MAX, 16).ok_or("a chunk's size that is no number, or with an extension")
}

fn number(digits: &[u8], digits_max: usize, radix: u32) -> Option<u64> {
    if digits.is_empty() || digits.len() > digits_max {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = char::from(*digit).to_digit(radix)?;
        number.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"\r\nPOST /v1/x?y=z HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nX-Utf8: \xc3\xa4\tb\r\nContent-Length:  12 \r\n\r\n\
        GET / \n\n: \r\nPOST / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n005\r\n\r\n\r\n!\r\nA\r\n0123456789\r\n0\r\n\
        x-sum: 1\r\n\r\nGET * HTTP/1.0\r\ncontent-length: 0\r\n\r\n";

    fn read(bytes: &[u8], at_once: usize) -> Result<(), &'static str> {
        let mut framing = Framing::new(4_096);
        bytes.chunks(at_once).try_for_each(|part| framing.read(part).map_err(|flaw| flaw.why))
    }

    #[test]
    fn what_is_read_in_one_way_only_passes_however_it_is_cut() {
        for at_once in 1..=GOOD.len() {
            assert_eq!(read(GOOD, at_once), Ok(()), "{at_once} bytes at once");
        }
    }

    #[test]
    fn what_may_be_read_otherwise_is_a_flaw_however_it_is_cut_and_whatever_came_before() {
        let flaws: &[&[u8]] = &[
            b"GET / HTTP/1.1\n\n",
            b"GET / HTTP/1.1\r\nhost: x\n\r\n",
            b"GET / HTTP/1.1\r\nhost: x\r\n\n",
            b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n",
            b"GET / HTTP/1.1\r\ntransfer-encoding: identity, chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\ntransfer-encoding: chunked;q=1\r\n\r\n",
            b"GET / HTTP/1.1\r\ntransfer-encoding: \x0bchunked\r\n\r\n",
            b"GET / HTTP/1.1\r\ntransfer-encoding:\r\n\r\n",
            b"GET / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n",
            b"GET / HTTP/1.1\r\ncontent-length: 5, 5\r\n\r\n",
            b"GET / HTTP/1.1\r\ncontent-length: +5\r\n\r\n",
            b"GET / HTTP/1.1\r\ncontent-length: 0x5\r\n\r\n",
            b"GET / HTTP/1.1\r\ncontent-length:\r\n\r\n",
            b"GET / HTTP/1.1\r\ncontent-length: 18446744073709551621\r\n\r\n",
            b"GET / HTTP/1.1\r\ncontent-length : 5\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nx: a\r\n b\r\n\r\n",
            b"GET / HTTP/1.1\r\n x: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nx: a\0b\r\n\r\n",
            b"GET / HTTP/1.1\r\nx: a\rb\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1 \r\n\r\n",
            b"GET /\r\n\r\n",
            b"GET / HTTP/2.0\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r",
            b"GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
            b"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            b"\nGET / HTTP/1.1\r\n\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5 \r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0x5\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n-5\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\nabcde\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n10000000000000005\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\ncontent-length: 5\r\n\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx : 5\r\n\r\n",
        ];
        for flaw in flaws {
            for before in [&b""[..], GOOD] {
                let bytes = [before, flaw].concat();
                for at_once in [1, 2, 3, 7, bytes.len()] {
                    let shown = String::from_utf8_lossy(flaw);
                    // An empty line may stand before a request once, wherever it is.
                    assert!(read(&bytes, at_once).is_err(), "{shown:?} passes, {at_once} bytes at once");
                }
            }
        }
    }

    #[test]
    fn a_flaw_is_found_before_the_line_ends() {
        let mut framing = Framing::new(4_096);
        let bytes = b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n";
        let flaw = framing.read(bytes).unwrap_err();
        assert_eq!((&bytes[..flaw.good], flaw.in_head), (&b"GET / HTTP/1.1\r\nhost: x\r\n"[..], true));
    }

    #[test]
    fn what_does_not_end_is_not_kept() {
        assert!(read(&[b"GET / HTTP/1.1\r\n".as_slice(), &b"x: y\r\n".repeat(1_000)].concat(), 100).is_err());
        assert!(read(&b"x".repeat(5_000), 100).is_err());
        let trailers = b"x: y\r\n".repeat(3_000);
        let head = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
        assert!(read(&[head.as_slice(), &trailers].concat(), 100).is_err());
    }

    #[test]
    fn frames_of_http2_are_no_lines() {
        assert_eq!(read(&[PREFACE, &[0, 10, 13, 1, 2]].concat(), 3), Ok(()));
    }
}
