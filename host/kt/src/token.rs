//! Tokens on the command line: what is typed about them, and how they are shown.

pub(crate) mod abilities;
pub(crate) mod bound;
pub(crate) mod changed;
pub(crate) mod choice;
pub(crate) mod filter;
pub(crate) mod grant;
pub(crate) mod judge;
pub(crate) mod key;
pub(crate) mod line;
pub(crate) mod lists;
pub(crate) mod models;
pub(crate) mod output;
pub(crate) mod pretty;
pub(crate) mod shown;
pub(crate) mod table;
