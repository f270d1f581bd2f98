//! The gateway: everything that a request needs, shared by all connections.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use cedargate::Pdp;
use cedargate::model::{Request, Timestamp};
use cedargate_http::admit::Judged;
use cedargate_http::catalogue::Candidate;
use cedargate_http::reply::Rejection;
use cedargate_tokens::{Clock, Directory, Event, Ledger, Recorder, Tokens, UNLISTED};
use tokio::sync::{Semaphore, watch};

use crate::identify::Who;
use crate::live::Live;
use crate::metrics::{Gauge, Metrics};
use crate::pass_through::ProviderKeys;
use crate::principals::{Principals, Slot};
use crate::record::{Made, Recording};
use crate::serve::Stage;
use crate::shadow::Candidates;
use crate::story::Story;

/// What all requests share.
pub(crate) struct Gateway {
    pub(crate) live: ArcSwap<Live>,
    pub(crate) pdp: Pdp,
    pub(crate) clock: Arc<Clock>,
    pub(crate) directory: Directory<Slot>,
    /// Every change by this is seen by every request that begins after it returned.
    pub(crate) tokens: Tokens,
    pub(crate) principals: Principals,
    pub(crate) provider_keys: ProviderKeys,
    /// What may be spent of budgets and rates.
    pub(crate) ledger: Ledger,
    pub(crate) recorder: Recorder,
    pub(crate) recording: Option<Recording>,
    pub(crate) shadow: ArcSwapOption<Candidates>,
    pub(crate) metrics: Metrics,
    /// The policy set under which lists of tokens were last told to be costly.
    pub(crate) costly_lists: ArcSwapOption<String>,
    /// Room for large bodies, in KiB.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) stage: watch::Sender<Stage>,
    /// Nobody is asked.
    #[cfg(feature = "bench-open")]
    pub(crate) open: bool,
}

impl Gateway {
    /// Records decisions for a replay, where that is asked for.
    pub(crate) fn record(
        &self,
        story: &Story,
        who: &Who,
        judged: &[Judged],
        at: Timestamp,
        requests: impl FnOnce() -> Vec<(Option<Candidate>, Request)>,
    ) {
        let Some(recording) = &self.recording else { return };
        for (n, (Judged { decision, .. }, (_, request))) in judged.iter().zip(requests()).enumerate() {
            let id = if n == 0 { Arc::clone(story.id()) } else { format!("{}.{n}", story.id()).into() };
            recording.made(Made::new(id, at, who.prepared.profile.clone(), request, decision));
        }
    }

    /// Tells of a request, once the candidate policies were asked about it where there are any.
    pub(crate) fn tell(&self, story: &Story, mut event: Event, candidate: Option<&Candidate>) {
        let live = self.live.load();
        if let Some(model) = event.counted_as.as_ref().or(event.model.as_ref())
            && !event.provider.as_ref().is_some_and(|provider| live.is_listed(provider, model))
        {
            event.counted_as = Some(UNLISTED.into());
        }
        match self.shadow.load().as_ref() {
            None => self.recorder.record(event),
            Some(shadow) => match story.for_shadow(event, candidate) {
                Ok(judged) => shadow.judge(judged),
                Err(event) => self.recorder.record(*event),
            },
        }
    }

    /// Tells of a request that was not admitted, or that no provider answered.
    pub(crate) fn tell_rejected(&self, story: &Story, rejection: &Rejection) {
        if let Rejection::Refused(refusal) = rejection {
            self.metrics.refused(refusal.code());
        }
        let elapsed_us = u64::try_from(story.started().elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(
            request = %story.id(),
            status = rejection.status(),
            code = rejection.code(),
            elapsed_us,
            "not admitted"
        );
        if let Some(event) = story.denied(rejection) {
            self.tell(story, event, None);
        }
    }

    /// Whether no further requests are taken.
    pub(crate) fn is_draining(&self) -> bool {
        *self.stage.borrow() > Stage::Serving
    }

    /// Everything that is counted, in Prometheus' text format.
    pub(crate) fn metrics_text(&self) -> String {
        let counter = |name, value| Gauge { name, kind: "counter", value };
        let mut gauges = vec![
            counter("cedargate_gateway_events_dropped_total", self.recorder.dropped()),
            Gauge {
                name: "cedargate_gateway_secrets",
                kind: "gauge",
                value: u64::try_from(self.directory.len()).unwrap_or(u64::MAX),
            },
            Gauge {
                name: "cedargate_gateway_tokens_unfit",
                kind: "gauge",
                value: self.metrics.unfit_tokens.load(std::sync::atomic::Ordering::Relaxed),
            },
            Gauge {
                name: "cedargate_gateway_store_readable",
                kind: "gauge",
                value: u64::from(self.directory.is_available()),
            },
        ];
        if let Some(recording) = &self.recording {
            gauges.push(counter("cedargate_gateway_records_dropped_total", recording.dropped()));
        }
        if let Some(shadow) = self.shadow.load().as_ref() {
            let counts = shadow.counts();
            let count = |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
            gauges.push(counter("cedargate_gateway_shadow_agreed_total", count(&counts.agreed)));
            gauges.push(counter("cedargate_gateway_shadow_would_allow_total", count(&counts.would_allow)));
            gauges.push(counter("cedargate_gateway_shadow_would_deny_total", count(&counts.would_deny)));
            gauges.push(counter("cedargate_gateway_shadow_skipped_total", count(&counts.skipped)));
        }
        let mut text = self.pdp.metrics().to_prometheus();
        text.push_str(&self.metrics.write(&gauges));
        text
    }
}
