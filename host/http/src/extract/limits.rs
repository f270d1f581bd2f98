//! What a request may be made of.

/// How deep a body may nest. Tool schemas of clients stay below 20, and every level costs stack.
pub const DEPTH_MAX: usize = 64;

/// Top-level keys of a body. No API has more than 60, and each is compared with all others.
pub const KEYS_MAX: usize = 256;

/// Fields and files of a multipart form. Image edits have at most 16 images and a dozen of fields.
pub const PARTS_MAX: usize = 64;

/// The query of a request, in bytes. Clients send a version, a page and a flag.
pub const QUERY_BYTES_MAX: usize = 4_096;

/// What a body may cost at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A JSON body, in bytes. It is held in memory while it is read and sent on; images and documents travel in it
    /// as base64, for which providers themselves take 32 MiB.
    pub json_bytes: usize,
    /// A multipart body, in bytes: providers take audio files of 25 MB.
    pub multipart_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { json_bytes: 32 << 20, multipart_bytes: 32 << 20 }
    }
}
