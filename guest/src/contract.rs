//! The texts that go in and out, as the schemas in `wit/` describe them, and their limits.

pub(crate) mod abi;
pub(crate) mod bundle;
pub(crate) mod diagnostic;
pub(crate) mod id;
pub(crate) mod limits;
pub(crate) mod network;
pub(crate) mod profile;
pub(crate) mod reads;
pub(crate) mod strict;
pub(crate) mod text;
pub(crate) mod time;
