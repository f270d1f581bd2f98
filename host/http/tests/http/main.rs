//! Requests as clients send them, and as attackers would. One file for each idea.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod asking;
mod bodies;
mod catalogues;
mod client_addresses;
mod credentials;
mod deciding;
mod decisions;
mod enforcement;
mod escaping;
mod forms;
mod one_reading;
mod refusals;
mod rewriting;
mod routes;
mod two_places;
mod upstream_headers;
