//! What the gateway takes from outside at most, and how long it waits.

use std::time::Duration;

/// Sizes and counts that requests, connections and replies may not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's head: its line and its headers.
    pub header_bytes: u32,
    /// Headers of one request.
    pub headers: u16,
    /// Bytes of one request's body.
    pub body_bytes: u32,
    /// Bytes of all bodies that are held at once, those below 16 KiB aside.
    pub bodies_bytes: u64,
    /// Connections of clients at once, on each listener.
    pub connections: u32,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// Bytes that one reply of a provider may have.
    pub response_bytes: u64,
    /// Bytes of the file to which requests are recorded.
    pub record_bytes: u64,
    /// Principals that are kept prepared.
    pub principals: u32,
    /// Fingerprints of providers' own keys that are kept.
    pub provider_keys: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Tokens, traces and cookies fit; a memory attack does not.
            header_bytes: 32 << 10,
            headers: 100,
            // The largest request that the large providers take, with images in it.
            body_bytes: 32 << 20,
            bodies_bytes: 512 << 20,
            connections: 10_000,
            streams: 128,
            // Hours of streaming.
            response_bytes: 256 << 20,
            // Some two million records.
            record_bytes: 1 << 30,
            principals: 100_000,
            provider_keys: 10_000,
        }
    }
}

/// How long the gateway waits, for clients and for providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the head of a request, and for the next request on a connection.
    pub header: Duration,
    /// For the whole body of a request.
    pub body: Duration,
    /// For a client that takes nothing of what waits for it.
    pub write: Duration,
    /// For a client that takes a reply which the gateway makes itself, from its first byte to its last.
    pub reply: Duration,
    /// For a connection to a provider.
    pub connect: Duration,
    /// For the head of a provider's reply.
    pub first_byte: Duration,
    /// Between two parts of a provider's reply.
    pub idle: Duration,
    /// For a provider's whole reply.
    pub response: Duration,
    /// For the requests in flight when the gateway stops.
    pub shutdown: Duration,
    /// For a decision: processor time, so that waiting for a processor does not count. A change needs a restart.
    pub decision: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(30),
            body: Duration::from_secs(60),
            write: Duration::from_secs(30),
            reply: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            // Models that think long say nothing until they have thought.
            first_byte: Duration::from_secs(600),
            idle: Duration::from_secs(120),
            response: Duration::from_secs(3_600),
            shutdown: Duration::from_secs(30),
            decision: Duration::from_millis(10),
        }
    }
}
