//! The gateway from outside: real sockets on loopback, a real store, the real component.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod attacks;
mod budgets;
mod bursts;
mod client;
mod clients;
mod configs;
mod controls;
mod counting;
mod failing_store;
mod faults;
mod folders;
mod forms;
mod frames;
mod granting;
mod headers;
mod heads;
mod limits;
mod lists;
mod lives;
mod models;
mod pass_through;
mod plane;
mod provider;
mod recording;
mod reloads;
mod routes;
mod secrets;
mod shadows;
mod stores;
mod tls;
mod traffic;
mod world;
