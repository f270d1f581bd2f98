//! What is recorded about the use of tokens: events, counts, and what was spent.

mod budget;
mod event;
mod filter;
mod recorder;
mod tally;

pub use budget::{BudgetKey, Owner};
pub use event::{Event, Shadow, Verdict};
pub use filter::{EventFilter, EventFilterError};
pub use recorder::{Recorder, RecorderOptions, Retention};
pub(crate) use tally::DENIED;
pub use tally::{Batch, CountKey, Counted, UNLISTED, UsageCount};
