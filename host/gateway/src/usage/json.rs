//! Finds the `usage` of a JSON object that comes in parts, without keeping the rest.

/// Names under which the usage stands.
const NAMES: [&[u8]; 2] = [b"usage", b"usageMetadata"];

/// Objects at the top in which it may stand, too: in events of streams.
const PARENTS: [&[u8]; 2] = [b"message", b"response"];

/// Bytes of a key that are compared. Longer ones are none of ours.
const KEY_BYTES_MAX: usize = 64;

/// Bytes of a usage object. The largest known has some hundred.
const OBJECT_BYTES_MAX: usize = 16 << 10;

/// A usage object.
pub(super) struct Found<'a> {
    pub(super) object: &'a [u8],
}

/// Reads JSON byte by byte. It checks nothing: what is no JSON has no usage that is worth anything.
#[derive(Debug, Default)]
pub(super) struct UsageScanner {
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// The next string at this place is a key.
    at_key: bool,
    /// The last key at depth 1, and whether a value at depth 2 lies in one of the parents.
    key: Vec<u8>,
    key_overflow: bool,
    within_parent: bool,
    /// The object that is being read, and the depth at which it began.
    object: Option<(u32, Vec<u8>)>,
}

impl UsageScanner {
    /// Reads the next bytes, and hands over each usage object that ends in them.
    pub(super) fn read(&mut self, bytes: &[u8], found: &mut impl FnMut(Found<'_>)) {
        for &byte in bytes {
            self.byte(byte, found);
        }
    }

    fn byte(&mut self, byte: u8, found: &mut impl FnMut(Found<'_>)) {
        if let Some((_, object)) = &mut self.object {
            object.push(byte);
            if object.len() > OBJECT_BYTES_MAX {
                self.object = None;
            }
        }
        if self.in_string {
            self.string_byte(byte);
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                if self.at_key {
                    self.key.clear();
                    self.key_overflow = false;
                }
            }
            // A list of objects is read as one object after the other: Gemini streams so.
            b'[' if self.depth == 0 => {}
            b']' if self.depth == 0 => {}
            b'{' | b'[' => self.open(byte),
            b'}' | b']' => self.close(found),
            b',' => self.at_key = self.is_key_place(),
            b':' => self.at_key = false,
            _ => {}
        }
    }

    fn string_byte(&mut self, byte: u8) {
        let ends = byte == b'"' && !self.escaped;
        self.escaped = byte == b'\\' && !self.escaped;
        if ends {
            self.in_string = false;
            return;
        }
        if self.at_key {
            if self.key.len() < KEY_BYTES_MAX {
                self.key.push(byte);
            } else {
                self.key_overflow = true;
            }
        }
    }

    /// Keys matter directly in the object, and directly in one of the parents.
    fn is_key_place(&self) -> bool {
        self.object.is_none() && (self.depth == 1 || (self.depth == 2 && self.within_parent))
    }

    fn open(&mut self, byte: u8) {
        let is_value = self.is_key_place() && !self.at_key;
        self.depth = self.depth.saturating_add(1);
        if byte == b'{' && is_value {
            if self.key_is_one_of(&NAMES) {
                self.object = Some((self.depth, vec![b'{']));
            } else if self.depth == 2 {
                self.within_parent = self.key_is_one_of(&PARENTS);
            }
        }
        self.at_key = byte == b'{' && self.is_key_place();
    }

    fn close(&mut self, found: &mut impl FnMut(Found<'_>)) {
        if let Some((_, object)) = self.object.take_if(|(depth, _)| *depth == self.depth) {
            found(Found { object: &object });
        }
        if self.depth == 2 {
            self.within_parent = false;
        }
        self.depth = self.depth.saturating_sub(1);
        self.at_key = false;
    }

    fn key_is_one_of(&self, names: &[&[u8]]) -> bool {
        if self.key_overflow {
            return false;
        }
        if !self.key.contains(&b'\\') {
            return names.contains(&self.key.as_slice());
        }
        let quoted = [b"\"", self.key.as_slice(), b"\""].concat();
        serde_json::from_slice::<String>(&quoted).is_ok_and(|key| names.contains(&key.as_bytes()))
    }
}
