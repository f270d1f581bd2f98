//! Data.

use std::io::{self, BufWriter, Write};

use anyhow::Context;
use serde::Serialize;

/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 64 << 10;

/// Standard output, buffered whatever it is connected to: who writes decides when to flush.
pub(crate) fn buffered() -> Box<dyn Write> {
    Box::new(BufWriter::with_capacity(BUFFER_BYTES, io::stdout()))
}

/// Writes a text and a line end.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    print_bytes(format!("{text}\n").as_bytes())
}

/// Writes a value as one line of JSON.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string(value)?)
}

/// Writes bytes as they are.
pub(crate) fn print_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = buffered();
    out.write_all(bytes).and_then(|()| out.flush()).context(CANNOT_WRITE)
}

/// The context of an error of standard output.
pub(crate) const CANNOT_WRITE: &str = "cannot write to standard output";
