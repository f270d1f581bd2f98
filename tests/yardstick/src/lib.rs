//! What cedargate is measured against.
//!
//! - [`native`] is plain `cedar-policy`, used well: how a host would decide that links Cedar itself.
//! - [`verdict`] brings either side's answer into one form, so that the two can be compared.
//! - [`sets`] makes policy sets of any size with fixed shapes, and [`traffic`] principals and requests for them.
//!
//! Nothing here comes from the component or its guest: the facts are made a second time, from the schema's words.

pub mod attributes;
mod beyond;
pub mod dice;
pub mod native;
pub mod network;
pub mod prepare;
pub mod sets;
pub mod traffic;
pub mod verdict;
