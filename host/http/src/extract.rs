//! The one reading of a request: endpoint, model, provider and what else a decision or a budget needs.
//!
//! What could be read in two ways is refused, since a provider might read it the other way: see
//! [`Invalid`](crate::reply::Invalid) for the list.

mod asked;
mod body;
mod envelope;
mod field_name;
mod json;
mod key;
mod limits;
mod media_type;
mod model_mention;
mod multipart;
mod part_head;
mod query;
mod rewrite;
mod routing;
mod settings;
mod skip;

pub use asked::Asked;
pub use body::collect;
pub use envelope::Envelope;
pub use limits::{DEPTH_MAX, KEYS_MAX, Limits, PARTS_MAX, QUERY_BYTES_MAX};
pub use routing::{ROUTING_FIELDS, routing_field};
