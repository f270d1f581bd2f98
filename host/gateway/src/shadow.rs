//! Candidate policies beside the live ones: what would they have decided?
//!
//! They are asked after the reply, on a thread of their own. Where that cannot keep up, some events go without.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use cedargate::model::{Request, Timestamp};
use cedargate::{Pdp, Principal};
use cedargate_tokens::{Event, Recorder, Shadow, Verdict};

/// Events that wait for the candidates.
const QUEUE: usize = 8_192;

/// A decision that was made, and the event that tells of it.
pub(crate) struct Judged {
    pub(crate) principal: Principal,
    pub(crate) request: Request,
    pub(crate) at: Timestamp,
    pub(crate) event: Event,
}

/// What the candidates would have done, counted.
#[derive(Debug, Default)]
pub(crate) struct ShadowCounts {
    pub(crate) agreed: AtomicU64,
    pub(crate) would_allow: AtomicU64,
    pub(crate) would_deny: AtomicU64,
    pub(crate) skipped: AtomicU64,
}

/// The candidates, and the events that wait for them.
#[derive(Clone)]
pub(crate) struct Candidates {
    queue: SyncSender<Judged>,
    recorder: Recorder,
    counts: Arc<ShadowCounts>,
    pdp: Pdp,
}

impl Candidates {
    /// Begins to ask a decision point.
    ///
    /// # Errors
    ///
    /// What the system says, where a thread cannot be made.
    pub(crate) fn start(pdp: Pdp, recorder: Recorder) -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel(QUEUE);
        let counts = Arc::new(ShadowCounts::default());
        let worker = Worker { pdp: pdp.clone(), recorder: recorder.clone(), counts: Arc::clone(&counts) };
        thread::Builder::new().name("shadow".to_owned()).spawn(move || worker.run(&waiting))?;
        Ok(Self { queue, recorder, counts, pdp })
    }

    /// The decision point of the candidates, to be reloaded.
    pub(crate) fn pdp(&self) -> &Pdp {
        &self.pdp
    }

    /// What they would have done so far.
    pub(crate) fn counts(&self) -> &ShadowCounts {
        &self.counts
    }

    /// Records an event once the candidates were asked about it.
    pub(crate) fn judge(&self, judged: Judged) {
        if let Err(TrySendError::Full(judged) | TrySendError::Disconnected(judged)) = self.queue.try_send(judged) {
            self.counts.skipped.fetch_add(1, Ordering::Relaxed);
            self.recorder.record(judged.event);
        }
    }
}

struct Worker {
    pdp: Pdp,
    recorder: Recorder,
    counts: Arc<ShadowCounts>,
}

impl Worker {
    fn run(&self, waiting: &Receiver<Judged>) {
        for Judged { principal, request, at, mut event } in waiting {
            let decision = self.pdp.decide(&principal, &request, at);
            let verdict = if decision.is_allow() { Verdict::Allow } else { Verdict::Deny };
            let counter = match (event.decision == verdict, verdict) {
                (true, _) => &self.counts.agreed,
                (false, Verdict::Allow) => &self.counts.would_allow,
                (false, Verdict::Deny) => &self.counts.would_deny,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            event.shadow = Some(Shadow {
                decision: verdict,
                status: decision.status(),
                code: decision.code().map(Into::into),
                policies: decision.policies().map(Into::into).collect(),
                policy_set: decision.policy_set().into(),
            });
            self.recorder.record(event);
        }
    }
}
