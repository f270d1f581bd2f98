//! The types of the request record: principals, requests, counters, times, and the record itself.
//!
//! They accept exactly the record's form: an unknown field, a field that stands twice and `null` are refused,
//! since a field that is dropped in silence is a restriction that is not enforced.

mod attributes;
mod budget;
mod counter;
mod present;
mod profile;
mod record;
mod request;
mod request_ref;
mod timestamp;

pub use attributes::{AttributeValue, Attributes};
pub use budget::Budget;
pub use counter::Counter;
pub use profile::{Bindings, Profile};
pub use record::{Expect, ExpectedDecision, Record, RecordError};
pub use request::{Request, Target};
pub use request_ref::RequestRef;
pub use timestamp::{Timestamp, TimestampError};
