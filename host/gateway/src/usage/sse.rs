//! The data of server-sent events, in parts.

/// A part of an event's data.
pub(super) enum Part<'a> {
    /// Another event's data begins.
    Begin,
    /// The next bytes of it.
    Data(&'a [u8]),
}

/// Reads a stream of events.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Line,
    /// The event has data already: another line of data goes on where the last one ended.
    has_data: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing of the line was read.
    #[default]
    Start,
    /// This many bytes of `data:` were read.
    Name(usize),
    /// The value of a line of data.
    Data,
    /// The rest of any other line.
    Other,
}

const NAME: &[u8] = b"data:";

impl Events {
    /// Reads the next bytes.
    pub(super) fn read(&mut self, bytes: &[u8], mut part: impl FnMut(Part<'_>)) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            match self.line {
                Line::Data => {
                    let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
                    let (data, after) = rest.split_at(end);
                    if !data.is_empty() {
                        part(Part::Data(data));
                    }
                    rest = after;
                    if !rest.is_empty() {
                        self.line = Line::Start;
                        rest = rest.get(1..).unwrap_or_default();
                    }
                    continue;
                }
                Line::Other => {
                    if matches!(byte, b'\n' | b'\r') {
                        self.line = Line::Start;
                    }
                }
                Line::Start => self.begin(byte),
                Line::Name(read) => self.name(read, byte),
            }
            if self.line == Line::Data && !self.has_data {
                self.has_data = true;
                part(Part::Begin);
            }
            rest = rest.get(1..).unwrap_or_default();
        }
    }

    fn begin(&mut self, byte: u8) {
        match byte {
            // An empty line ends the event. The second half of CRLF looks like one, and comes before any data of a
            // following line, so that at worst data in several lines is read as several.
            b'\n' | b'\r' => self.has_data = false,
            _ => self.name(0, byte),
        }
    }

    fn name(&mut self, read: usize, byte: u8) {
        self.line = match byte {
            b'\n' | b'\r' => Line::Start,
            _ if NAME.get(read) == Some(&byte) => match read.saturating_add(1) {
                read if read == NAME.len() => Line::Data,
                read => Line::Name(read),
            },
            _ => Line::Other,
        };
    }
}
