//! What the suites share: corpora, generators and hosts.

pub mod corpus;
pub mod dice;
pub mod hostile;
pub mod plugin;
pub mod released;
pub mod rulebook;
pub mod schema;
pub mod shapes;
pub mod typed;
pub mod untyped;
pub mod world;
