//! Decides in-process what an API token may do.
//!
//! The decision is made by Cedar policies in a WebAssembly component that has no clock, no files and no network.
//! This crate runs the component: it keeps the engine, the instances and the policies, and hands out decisions.
//!
#![cfg_attr(feature = "compiler", doc = "```")]
#![cfg_attr(not(feature = "compiler"), doc = "```no_run")]
//! use cedargate::{Pdp, model::{Profile, Request, Timestamp}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pdp = Pdp::builder().build()?; // the default policies
//! let token = pdp.principal(&Profile::general("tok_frontend"))?; // once for each token
//! let mut request = Request::new("chat.completions");
//! request.provider = Some("openai".to_owned());
//! request.model = Some("gpt-4o".to_owned());
//! match pdp.decide(&token, &request, Timestamp::now()).into_result() {
//!     Ok(permit) => println!("admitted by {:?}", permit.decision().policies().collect::<Vec<_>>()),
//!     Err(denial) => println!("{} {}: {}", denial.status, denial.code, denial.message),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! How a decision is made quickly, and why it is right, is told in [`fast_path`]. What to know before it goes live:
//!
//! - [`Pdp::decide`] never fails and never awaits. It has 10 ms of processor time and 250 ms of wall time, and waits
//!   for an instance for 250 ms at most, unless set otherwise.
//! - The first start compiles the component, which takes 3 to 4 seconds; after that the code is in the user's cache
//!   ([`CodeCache`]), which `CEDARGATE_CACHE_DIR` names where it is not `~/.cache/cedargate`.
//! - A [`Pdp`] belongs to the process that built it. After a `fork`, the child's decisions are denials with 503
//!   until it builds its own: build after forking.
//! - A thread with less than 512 KiB of stack left decides on a stack that is mapped for the call, which costs some
//!   microseconds.
//!
//! Without the feature `compiler` the crate is 1.8 instead of 14 MB, and the host passes code that was compiled
//! ahead ([`PdpBuilder::precompiled`]).

mod batch;
mod bindings;
mod builder;
mod bundle;
#[cfg(feature = "compiler")]
mod code_cache;
#[cfg(feature = "compiler")]
mod compiling;
mod component;
#[cfg(feature = "compiler")]
mod component_info;
mod convert;
mod deadline;
mod decider;
mod decision;
mod denial;
mod diagnostics;
mod engine;
mod error;
pub mod fast_path;
mod fault;
pub mod files;
mod folder;
mod info;
mod instance;
mod layout;
mod limits;
mod lock;
mod metrics;
pub mod model;
mod observer;
mod outcome;
mod pdp;
mod policy_set;
mod pool;
mod principal;
mod quarantine;
mod reload;
mod remembered;
mod reply;
mod retry;
#[cfg(feature = "compiler")]
mod set_cache;
mod settings;
mod stack;
mod thread_number;
mod worker;

pub use builder::PdpBuilder;
pub use bundle::{Bundle, BundleError, write_lock};
#[cfg(feature = "compiler")]
pub use code_cache::CodeCache;
#[cfg(feature = "compiler")]
pub use compiling::Compiling;
pub use component::Component;
#[cfg(feature = "compiler")]
pub use component_info::{ComponentInfo, component_info};
pub use decision::{Decision, Permit};
pub use denial::Denial;
pub use diagnostics::{Diagnostic, Diagnostics, Severity};
#[cfg(feature = "compiler")]
pub use engine::precompile;
pub use error::{BuildError, EngineError, LoadError, ProfileError};
pub use fault::Fault;
pub use folder::FolderStamp;
pub use info::{PolicyEffect, PolicyInfo, PolicySetInfo};
pub use limits::Limits;
pub use lock::LockMismatch;
pub use metrics::{DecisionCount, Histogram, MetricsSnapshot};
pub use observer::{DecisionEvent, Observer};
pub use outcome::Outcome;
pub use pdp::Pdp;
pub use pool::InstanceCounts;
pub use principal::Principal;
pub use reload::ReloadReport;

/// The example of the README is run as a test.
#[cfg(all(doctest, feature = "compiler"))]
#[doc = include_str!("../README.md")]
struct Readme;
