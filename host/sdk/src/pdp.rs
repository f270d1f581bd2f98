//! The policy decision point.

use std::future::Future;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::builder::PdpBuilder;
use crate::bundle::Bundle;
use crate::decider::{Decider, forked};
use crate::decision::Decision;
use crate::engine::Runtime;
use crate::error::{LoadError, ProfileError};
use crate::fault::Fault;
use crate::info::PolicySetInfo;
use crate::instance::Failure;
use crate::metrics::{Metrics, MetricsSnapshot};
use crate::model::{Profile, Request, RequestRef, Timestamp};
use crate::observer::Observer;
use crate::policy_set::{Allowance, PolicySet};
use crate::principal::Principal;
use crate::quarantine::Quarantine;
use crate::reload::ReloadReport;
use crate::reply::{Reply, pair};
use crate::stack;
use crate::worker::Worker;

/// Decides requests. Cheap to clone, and good on any number of threads.
///
/// Deciding never fails: where no decision can be made, the decision is a denial with 503. It blocks for microseconds,
/// and on the busiest machine no longer than [`PdpBuilder::queue_deadline`] and [`PdpBuilder::wall_deadline`] together,
/// so it may be called from async code.
#[derive(Clone)]
pub struct Pdp {
    inner: Arc<Decider>,
}

impl Pdp {
    /// A builder with the default settings.
    pub fn builder() -> PdpBuilder {
        PdpBuilder::new()
    }

    pub(crate) fn assemble(
        runtime: Arc<Runtime>,
        set: PolicySet,
        metrics: Metrics,
        allowance: Allowance,
        observer: Option<Arc<dyn Observer>>,
        timings: bool,
        worker: Worker,
    ) -> Self {
        let current = ArcSwap::from_pointee(set);
        let quarantine = Quarantine::default();
        Self {
            inner: Arc::new(Decider { runtime, current, allowance, metrics, quarantine, observer, timings, worker }),
        }
    }

    /// A principal of this profile, which the component checks now.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] where the profile cannot be used; deny with 503 and mend the token's record.
    pub fn principal(&self, profile: &Profile) -> Result<Principal, ProfileError> {
        stack::with_enough(|| {
            let reads_budgets = self.inner.current.load().info.reads_tokens();
            let text = if reads_budgets || profile.budgets.is_none() {
                serde_json::to_string(profile)
            } else {
                // Budgets bound what is granted, and this component decides nothing about that.
                serde_json::to_string(&Profile { budgets: None, ..profile.clone() })
            };
            let text = text.map_err(|error| ProfileError::Malformed(error.to_string()))?;
            self.inner.principal(text)
        })
    }

    /// A principal of this profile in the record's JSON form.
    ///
    /// # Errors
    ///
    /// As [`principal`](Self::principal), and [`ProfileError::Malformed`] where the text is not a profile.
    pub fn principal_json(&self, profile: &str) -> Result<Principal, ProfileError> {
        stack::with_enough(|| self.inner.principal(profile.to_owned()))
    }

    /// Decides a request at a time, which is the host's to say: the same input has the same decision at any time.
    ///
    /// The request is a [`&Request`](Request), or a [`RequestRef`] where nothing needs to be owned.
    pub fn decide<'r>(&self, principal: &Principal, request: impl Into<RequestRef<'r>>, at: Timestamp) -> Decision {
        self.inner.decide_request(principal, &request.into(), at)
    }

    /// Decides a request in the record's JSON form. `counters` is empty where the counters stand in the request or
    /// there are none.
    pub fn decide_json(&self, principal: &Principal, request: &str, counters: &str, at: Timestamp) -> Decision {
        self.inner.decide(principal, request, counters, at)
    }

    /// Decides many requests of one principal at one time, in their order. Costs less than one by one; blocks for
    /// at most the deadlines of one decision for each 64 requests.
    pub fn decide_many(&self, principal: &Principal, requests: &[Request], at: Timestamp) -> Vec<Decision> {
        stack::with_enough(|| self.inner.decide_many(principal, requests, at))
    }

    /// The whole decision as the contract's JSON text, with the messages of policies that could not be evaluated.
    /// For tools; a proxy wants [`decide`](Self::decide).
    ///
    /// # Errors
    ///
    /// The decision with 503, where the component gives none.
    pub fn decide_text(
        &self,
        principal: &Principal,
        request: &str,
        counters: &str,
        at: Timestamp,
    ) -> Result<String, Decision> {
        stack::with_enough(|| self.inner.decide_text(principal, request, counters, at))
    }

    /// Loads another bundle and puts it in force at once, for every call that starts after this has ended. A bundle
    /// with an error leaves the last good set in force.
    ///
    /// Loading begins now, on a thread of the SDK, and goes on where the future is dropped. Reloads take effect in
    /// the order in which they were asked for. The future needs no particular runtime.
    ///
    /// # Errors
    ///
    /// [`LoadError`] where the bundle cannot be loaded.
    pub fn reload(&self, bundle: Bundle) -> impl Future<Output = Result<ReloadReport, LoadError>> + Send + 'static {
        let reply = self.start_reload(bundle);
        async move { reply.await.unwrap_or_else(|| Err(ended_early())) }
    }

    /// [`reload`](Self::reload) for threads that may block.
    ///
    /// # Errors
    ///
    /// [`LoadError`] where the bundle cannot be loaded.
    pub fn reload_blocking(&self, bundle: Bundle) -> Result<ReloadReport, LoadError> {
        self.start_reload(bundle).wait().unwrap_or_else(|| Err(ended_early()))
    }

    fn start_reload(&self, bundle: Bundle) -> Reply<Result<ReloadReport, LoadError>> {
        if !self.inner.runtime.is_ours() {
            // The thread that loads is in the other process, and would never answer.
            let (promise, reply) = pair();
            promise.keep(Err(forked().into()));
            return reply;
        }
        let inner = Arc::clone(&self.inner);
        self.inner.worker.run(move || inner.reload(&bundle))
    }

    /// Has at least so many instances ready, as far as the settings allow, so that no request waits for one to be
    /// made. Blocks until they are.
    ///
    /// # Errors
    ///
    /// The fault that kept an instance from being made.
    pub fn warm(&self, instances: usize) -> Result<(), Fault> {
        self.inner.current.load().pool.warm(instances).map_err(|failure| failure.fault)
    }

    /// The policy set in force.
    #[must_use]
    pub fn info(&self) -> Arc<PolicySetInfo> {
        Arc::clone(&self.inner.current.load().info)
    }

    /// What was counted so far.
    #[must_use]
    pub fn metrics(&self) -> MetricsSnapshot {
        let set = self.inner.current.load();
        let component = self.inner.runtime.component_digest();
        self.inner.metrics.snapshot(set.pool.counts(), set.info.digest(), component)
    }
}

fn ended_early() -> LoadError {
    Failure::new(Fault::Unavailable, "the thread that loads ended early").into()
}
