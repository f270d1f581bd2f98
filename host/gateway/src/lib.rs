//! The reference AI gateway: a streaming reverse proxy whose every admission is a decision of the component.
//!
//! [`start`] takes a [`Config`](config::Config), a store of tokens and a clock, and returns a [`Running`] gateway.
//! What a token may do is said by policies; this crate finds out who asks and for what, asks the component, sends what
//! was admitted to a provider, and tells what happened.

mod activity;
mod admin;
mod body;
mod budget;
mod certificates;
mod checked;
mod closing;
pub mod config;
mod connection;
mod control;
mod descriptors;
mod door;
mod echo;
mod egress;
mod forward;
mod framing;
mod gateway;
mod handle;
mod identify;
mod io;
mod live;
mod metrics;
#[cfg(feature = "bench-open")]
mod open;
mod overrides;
mod pass_through;
mod peers;
pub mod policies;
mod principals;
mod receive;
mod record;
mod relay;
mod reload;
mod reply_headers;
mod running;
mod serve;
mod shadow;
mod start;
mod story;
mod trace;
mod unfit;
mod upstream;
mod usage;

pub use certificates::CertificateError;
pub use door::Door;
pub use live::LiveError;
pub use overrides::Overrides;
pub use record::{RecordingError, check_record};
pub use reload::ReloadError;
pub use running::Running;
pub use start::{Options, StartError, start};
