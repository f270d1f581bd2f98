//! What the gateway counts, in Prometheus' text format. No label comes from a request.

mod histogram;

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cedargate_http::route::Endpoint;

use crate::activity::Over;
use crate::relay::{Ending, RelayError};
use crate::upstream::UpstreamError;
use histogram::Histogram;

/// The label of requests for endpoints that do not exist.
const NO_ENDPOINT: &str = "none";

/// The first digit of a status, from 2 to 5.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// Why the gateway refused a request by itself.
const REFUSALS: [&str; 20] = [
    "token_missing",
    "token_malformed",
    "token_unknown",
    "token_conflict",
    "route_unknown",
    "method_not_allowed",
    "request_invalid",
    "request_timeout",
    "body_too_large",
    "media_type_unsupported",
    "model_not_found",
    "store_unavailable",
    "counters_unavailable",
    "policy_unavailable",
    "overloaded",
    "shutting_down",
    "upstream_unreachable",
    "upstream_timeout",
    "upstream_malformed",
    "other",
];

const FAILURES: [&str; 7] = ["unreachable", "broken", "late", "cut", "idle", "endless", "too_large"];

/// What became of a reload.
const RELOADS: [&str; 2] = ["applied", "refused"];

/// What is counted.
#[derive(Default)]
pub(crate) struct Metrics {
    requests: [[AtomicU64; CLASSES.len()]; Endpoint::ALL.len() + 1],
    refusals: [AtomicU64; REFUSALS.len()],
    failures: [AtomicU64; FAILURES.len()],
    overs: [AtomicU64; Over::ALL.len()],
    reloads: [AtomicU64; RELOADS.len()],
    pub(crate) abandoned: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) in_flight: AtomicU64,
    /// Tokens whose attributes do not fit the policies in force.
    pub(crate) unfit_tokens: AtomicU64,
    pub(crate) tokens_in: AtomicU64,
    pub(crate) tokens_out: AtomicU64,
    head: Histogram,
}

/// A number that somebody else keeps.
pub(crate) struct Gauge {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) value: u64,
}

/// Adds one, and takes it away again when dropped.
pub(crate) struct Held<'a>(&'a AtomicU64);

impl<'a> Held<'a> {
    pub(crate) fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn add(count: Option<&AtomicU64>) {
    if let Some(count) = count {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// The head of a reply is ready.
    pub(crate) fn replied(&self, endpoint: Option<Endpoint>, status: u16, elapsed: Duration) {
        let place = endpoint.and_then(|endpoint| Endpoint::ALL.iter().position(|known| *known == endpoint));
        let class = usize::from((status / 100).clamp(2, 5).saturating_sub(2));
        add(self.requests.get(place.unwrap_or(Endpoint::ALL.len())).and_then(|classes| classes.get(class)));
        self.head.note(elapsed);
    }

    /// The gateway refused a request by itself.
    pub(crate) fn refused(&self, code: &str) {
        let place = REFUSALS.iter().position(|known| *known == code).unwrap_or(REFUSALS.len().saturating_sub(1));
        add(self.refusals.get(place));
    }

    /// A provider had no answer.
    pub(crate) fn failed(&self, error: UpstreamError) {
        add(self.failures.get(match error {
            UpstreamError::Unreachable => 0,
            UpstreamError::Broken => 1,
            UpstreamError::Late => 2,
        }));
    }

    /// A reply ended.
    pub(crate) fn ended(&self, ending: &Ending) {
        if let Some(usage) = ending.usage {
            self.tokens_in.fetch_add(usage.input_tokens, Ordering::Relaxed);
            self.tokens_out.fetch_add(usage.output_tokens, Ordering::Relaxed);
        }
        match ending.result {
            Ok(()) => {}
            Err(RelayError::Abandoned) => add(Some(&self.abandoned)),
            Err(RelayError::Broken) => add(self.failures.get(3)),
            Err(RelayError::Idle) => add(self.failures.get(4)),
            Err(RelayError::Endless) => add(self.failures.get(5)),
            Err(RelayError::TooLarge) => add(self.failures.get(6)),
        }
    }

    /// Configuration, policies or certificates were read again: whether all of it is in force now.
    pub(crate) fn reloaded(&self, is_applied: bool) {
        add(self.reloads.get(usize::from(!is_applied)));
    }

    /// The gateway ended a connection by itself.
    pub(crate) fn ended_early(&self, over: Over) {
        add(Over::ALL.iter().position(|known| *known == over).and_then(|place| self.overs.get(place)));
    }

    /// Everything, and numbers that somebody else keeps.
    pub(crate) fn write(&self, gauges: &[Gauge]) -> String {
        let mut text = String::with_capacity(8 << 10);
        // Writing into a string does not fail.
        let _ = self.write_to(&mut text, gauges);
        text
    }

    fn write_to(&self, out: &mut String, gauges: &[Gauge]) -> fmt::Result {
        writeln!(out, "# TYPE cedargate_gateway_requests_total counter")?;
        let labels = Endpoint::ALL.iter().map(|endpoint| endpoint.label()).chain([NO_ENDPOINT]);
        for (endpoint, classes) in labels.zip(&self.requests) {
            for (class, count) in CLASSES.iter().zip(classes) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    writeln!(
                        out,
                        "cedargate_gateway_requests_total{{endpoint=\"{endpoint}\",status=\"{class}\"}} {count}"
                    )?;
                }
            }
        }
        family(out, "cedargate_gateway_refusals_total", "code", &REFUSALS, &self.refusals)?;
        family(out, "cedargate_gateway_upstream_failures_total", "kind", &FAILURES, &self.failures)?;
        let overs = Over::ALL.map(Over::label);
        family(out, "cedargate_gateway_connections_ended_total", "kind", &overs, &self.overs)?;
        family(out, "cedargate_gateway_reloads_total", "result", &RELOADS, &self.reloads)?;
        self.head.write(out, "cedargate_gateway_head_seconds")?;
        let own = [
            ("cedargate_gateway_replies_abandoned_total", "counter", &self.abandoned),
            ("cedargate_gateway_tokens_in_total", "counter", &self.tokens_in),
            ("cedargate_gateway_tokens_out_total", "counter", &self.tokens_out),
            ("cedargate_gateway_connections", "gauge", &self.connections),
            ("cedargate_gateway_requests_in_flight", "gauge", &self.in_flight),
        ];
        for (name, kind, value) in own {
            writeln!(out, "# TYPE {name} {kind}\n{name} {}", value.load(Ordering::Relaxed))?;
        }
        for Gauge { name, kind, value } in gauges {
            writeln!(out, "# TYPE {name} {kind}\n{name} {value}")?;
        }
        Ok(())
    }
}

fn family(out: &mut String, name: &str, label: &str, values: &[&str], counts: &[AtomicU64]) -> fmt::Result {
    writeln!(out, "# TYPE {name} counter")?;
    for (value, count) in values.iter().zip(counts) {
        writeln!(out, "{name}{{{label}=\"{value}\"}} {}", count.load(Ordering::Relaxed))?;
    }
    Ok(())
}
