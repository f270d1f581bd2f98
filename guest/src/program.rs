//! Policies compiled: their conditions, what these read, how rules are found and how a condition is evaluated.

pub(crate) mod analysis;
pub(crate) mod code;
pub(crate) mod index;
pub(crate) mod interpreter;
pub(crate) mod rules;
pub(crate) mod time_index;
