//! Replays recorded requests: reads lines, asks for decisions, compares, in the order of the input.

pub(crate) mod archive;
pub(crate) mod entry;
pub(crate) mod input;
pub(crate) mod judge;
pub(crate) mod latency;
pub(crate) mod lines;
pub(crate) mod pipeline;
pub(crate) mod principals;
pub(crate) mod progress;
pub(crate) mod summary;
