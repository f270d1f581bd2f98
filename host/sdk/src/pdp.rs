//! The policy decision point.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde::Deserialize;

use crate::builder::PdpBuilder;
use crate::bundle::Bundle;
use crate::convert::{self, RequestTexts};
use crate::decision::Decision;
use crate::engine::Runtime;
use crate::error::{LoadError, ProfileError};
use crate::fault::Fault;
use crate::info::PolicySetInfo;
use crate::instance::{Failure, Prepared};
use crate::metrics::{Metrics, MetricsSnapshot};
use crate::model::{Profile, Request, Timestamp};
use crate::observer::{DecisionEvent, Observer};
use crate::outcome::Outcome;
use crate::policy_set::{Allowance, PolicySet};
use crate::pool::Lease;
use crate::principal::Principal;
use crate::quarantine::Quarantine;
use crate::reload::ReloadReport;
use crate::reply::{Reply, pair};
use crate::retry;
use crate::stack;
use crate::worker::Worker;

/// Requests of a batch that are handed over at once: each such part has a deadline of its own.
const BATCH_PART: usize = 64;

/// Decides requests. Cheap to clone, and good on any number of threads.
///
/// Deciding never fails: where no decision can be made, the decision is a denial with 503. It blocks for at most
/// the deadline, so it may be called from async code.
#[derive(Clone)]
pub struct Pdp {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Arc<Runtime>,
    current: ArcSwap<PolicySet>,
    allowance: Allowance,
    metrics: Metrics,
    quarantine: Quarantine,
    observer: Option<Arc<dyn Observer>>,
    timings: bool,
    worker: Worker,
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
        Self { inner: Arc::new(Inner { runtime, current, allowance, metrics, quarantine, observer, timings, worker }) }
    }

    /// A principal of this profile, which the component checks now.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] where the profile cannot be used; deny with 503 and mend the token's record.
    pub fn principal(&self, profile: &Profile) -> Result<Principal, ProfileError> {
        stack::with_enough(|| {
            let text = serde_json::to_string(profile).map_err(|error| ProfileError::Malformed(error.to_string()))?;
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
    pub fn decide(&self, principal: &Principal, request: &Request, at: Timestamp) -> Decision {
        stack::with_enough(|| match convert::request(request) {
            Ok(RequestTexts { request, counters }) => self.inner.decide(principal, &request, &counters, at),
            Err(error) => self.inner.unwritable(at, &error),
        })
    }

    /// Decides a request in the record's JSON form. `counters` is empty where the counters stand in the request or
    /// there are none.
    pub fn decide_json(&self, principal: &Principal, request: &str, counters: &str, at: Timestamp) -> Decision {
        stack::with_enough(|| self.inner.decide(principal, request, counters, at))
    }

    /// Decides many requests of one principal at one time, in their order. Costs less than one by one; blocks for
    /// at most the deadline for each 64 requests.
    pub fn decide_many(&self, principal: &Principal, requests: &[Request], at: Timestamp) -> Vec<Decision> {
        stack::with_enough(|| self.inner.decide_many(principal, requests, at))
    }

    /// The whole decision as the contract's JSON text, with the messages of policies that could not be evaluated.
    /// For tools; a proxy wants [`decide`](Self::decide).
    ///
    /// # Errors
    ///
    /// The decision with 503, where the component gives none.
    #[expect(clippy::result_large_err, reason = "a decision is returned by value everywhere else, too")]
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

fn forked() -> Failure {
    Failure::new(
        Fault::Unavailable,
        "this process was forked from the one that built the decision point: build another",
    )
}

fn ended_early() -> LoadError {
    Failure::new(Fault::Unavailable, "the thread that loads ended early").into()
}

impl Inner {
    fn principal(&self, profile: String) -> Result<Principal, ProfileError> {
        let principal = Principal::new(profile);
        let prepared = (|| {
            if !self.runtime.is_ours() {
                return Err(forked());
            }
            let set = self.current.load();
            let now = Instant::now();
            let mut lease = set.pool.take(after(now, self.allowance.deadline))?;
            let result = self.prepare(&mut lease, &principal, after(now, self.allowance.prepare_deadline));
            self.note_trap(result, None)
        })();
        match prepared {
            Ok(Ok(_)) => Ok(principal),
            Ok(Err(error)) => Err(convert::profile_error(error)),
            Err(Failure { fault, cause }) => Err(ProfileError::Fault { fault, cause }),
        }
    }

    fn prepare(&self, lease: &mut Lease, principal: &Principal, deadline: Instant) -> Result<Prepared, Failure> {
        let instance = lease.instance()?;
        let started = (self.timings && !instance.holds(principal.key())).then(Instant::now);
        let prepared = instance.prepare(principal.key(), principal.profile(), deadline)?;
        if let Some(started) = started {
            self.metrics.prepare.note(started.elapsed());
        }
        Ok(prepared)
    }

    fn decide(&self, principal: &Principal, request: &str, counters: &str, at: Timestamp) -> Decision {
        let started = Instant::now();
        let span = tracing::debug_span!("decide", outcome = tracing::field::Empty, code = tracing::field::Empty);
        let _entered = span.enter();
        let set = self.current.load();
        let deadline = after(started, self.allowance.deadline);
        let attempt = self.enter(principal, request, || {
            let mut lease = set.pool.take(deadline)?;
            self.attempt(&set, &mut lease, principal, request, counters, at, deadline)
        });
        let decision = self.finish(&set, attempt, request, counters, at);
        if !span.is_disabled() {
            span.record("outcome", decision.outcome().name());
            span.record("code", decision.code().unwrap_or_default());
        }
        self.tell(principal, request, counters, at, &decision, || started.elapsed());
        decision
    }

    fn decide_many(&self, principal: &Principal, requests: &[Request], at: Timestamp) -> Vec<Decision> {
        let mut decisions = Vec::with_capacity(requests.len());
        let set = self.current.load();
        let limit = set.info.limits().batch.and_then(|batch| usize::try_from(batch).ok()).unwrap_or(BATCH_PART);
        for part in requests.chunks(limit.clamp(1, BATCH_PART)) {
            match self.decide_part(&set, principal, part, at) {
                Some(decided) => decisions.extend(decided),
                // One of them may have killed the instance: each gets a decision of its own.
                None => decisions.extend(part.iter().map(|request| match convert::request(request) {
                    Ok(RequestTexts { request, counters }) => self.decide(principal, &request, &counters, at),
                    Err(error) => self.unwritable(at, &error),
                })),
            }
        }
        decisions
    }

    /// Decides a part of a batch at once; `None` where that is not possible.
    fn decide_part(
        &self,
        set: &PolicySet,
        principal: &Principal,
        part: &[Request],
        at: Timestamp,
    ) -> Option<Vec<Decision>> {
        let started = Instant::now();
        let deadline = after(started, self.allowance.deadline);
        let (mut requests, mut counters) = (Vec::with_capacity(part.len()), Vec::with_capacity(part.len()));
        for request in part {
            let texts = convert::request(request).ok()?;
            requests.push(texts.request);
            counters.push(texts.counters);
        }
        if !self.runtime.is_ours() || self.quarantine.is_watching() {
            return None;
        }
        let mut lease = set.pool.take(deadline).ok()?;
        let prepared = self.prepare(&mut lease, principal, deadline);
        let handle = self.note_trap(prepared, None).ok()?.ok()?;
        let instance = lease.instance().ok()?;
        let decided = instance.decide_many(handle, at.as_millis(), &requests, &counters, deadline);
        let decided = self.note_trap(decided, None).ok()?;
        let converted: Result<Vec<_>, _> =
            decided.into_iter().map(|decided| convert::decision(&set.info, at, decided)).collect();
        let converted = match converted {
            Ok(converted) if converted.len() == part.len() => converted,
            Ok(_) | Err(_) => {
                lease.instance().ok()?.condemn();
                return None;
            }
        };
        drop(lease);
        let share = || started.elapsed() / u32::try_from(part.len()).unwrap_or(u32::MAX).max(1);
        let told = converted.into_iter().zip(requests.iter().zip(&counters)).map(|(decision, (request, counters))| {
            let decision = self.finish(set, Ok(decision), request, counters, at);
            self.tell(principal, request, counters, at, &decision, share);
            decision
        });
        Some(told.collect())
    }

    #[expect(clippy::result_large_err, reason = "a decision is returned by value everywhere else, too")]
    fn decide_text(
        &self,
        principal: &Principal,
        request: &str,
        counters: &str,
        at: Timestamp,
    ) -> Result<String, Decision> {
        let set = self.current.load();
        let deadline = after(Instant::now(), self.allowance.deadline);
        let text = self.enter(principal, request, || {
            let mut lease = set.pool.take(deadline)?;
            let handle = self.prepare(&mut lease, principal, deadline)?.map_err(|error| unprepared(&error))?;
            lease.instance()?.decide_text(handle, at.as_millis(), request, counters, deadline)
        });
        text.map_err(|failure| self.finish(&set, Err(failure), request, counters, at))
    }

    /// What stands before and after every entry: the process, the quarantine, the count of traps.
    fn enter<R>(
        &self,
        principal: &Principal,
        request: &str,
        call: impl FnOnce() -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        if !self.runtime.is_ours() {
            return Err(forked());
        }
        if let Some(fault) = self.quarantine.check(principal.key(), || action(request)) {
            return Err(Failure::new(fault, "the same principal and action faulted twice within a second"));
        }
        self.note_trap(call(), Some((principal, request)))
    }

    fn note_trap<R>(&self, result: Result<R, Failure>, of: Option<(&Principal, &str)>) -> Result<R, Failure> {
        if let Err(failure) = &result
            && failure.fault.is_trap()
        {
            self.metrics.trap(failure.fault);
            tracing::warn!(fault = %failure.fault, cause = failure.cause, "an instance was dropped");
            if let Some((principal, request)) = of {
                self.quarantine.note(principal.key(), &action(request).unwrap_or_default(), failure.fault);
            }
        }
        result
    }

    #[expect(clippy::too_many_arguments, reason = "what a decision is made of")]
    fn attempt(
        &self,
        set: &PolicySet,
        lease: &mut Lease,
        principal: &Principal,
        request: &str,
        counters: &str,
        at: Timestamp,
        deadline: Instant,
    ) -> Result<Decision, Failure> {
        let handle = self.prepare(lease, principal, deadline)?.map_err(|error| unprepared(&error))?;
        let instance = lease.instance()?;
        let decided = instance.decide(handle, at.as_millis(), request, counters, deadline)?;
        convert::decision(&set.info, at, decided).map_err(|garbage| {
            instance.condemn();
            Failure::new(Fault::Reply, format!("the reply holds {garbage}"))
        })
    }

    /// Turns a failure into a denial, and counts.
    fn finish(
        &self,
        set: &PolicySet,
        attempt: Result<Decision, Failure>,
        request: &str,
        counters: &str,
        at: Timestamp,
    ) -> Decision {
        let mut decision = match attempt {
            Ok(decision) => decision,
            Err(Failure { fault, cause }) => Decision::unavailable(Arc::clone(&set.info), fault, at, cause),
        };
        match decision.fault {
            Some(fault) => self.metrics.fault(fault),
            None => {
                if let Some(counter) = set.counter(decision.outcome, decision.deciding) {
                    counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
        }
        if decision.outcome == Outcome::Throttled && decision.code() == Some(retry::RATE_CODE) {
            decision.retry_after = retry::after(at, request, counters);
        }
        decision
    }

    fn tell(
        &self,
        principal: &Principal,
        request: &str,
        counters: &str,
        at: Timestamp,
        decision: &Decision,
        elapsed: impl FnOnce() -> Duration,
    ) {
        if !self.timings && self.observer.is_none() {
            return;
        }
        let elapsed = elapsed();
        if self.timings {
            self.metrics.decide.note(elapsed);
        }
        if let Some(observer) = &self.observer {
            observer.decided(&DecisionEvent { principal, request, counters, at, decision, elapsed });
        }
    }

    /// A request that cannot be written as JSON, which no value of the type is.
    fn unwritable(&self, at: Timestamp, error: &serde_json::Error) -> Decision {
        let set = Arc::clone(&self.current.load().info);
        Decision::unavailable(set, Fault::Unavailable, at, error.to_string())
    }

    /// Runs on the SDK's thread.
    fn reload(&self, bundle: &Bundle) -> Result<ReloadReport, LoadError> {
        let started = Instant::now();
        let loaded = PolicySet::load(&self.runtime, bundle, &self.allowance, &self.metrics);
        let result = loaded.map(|set| {
            let set = Arc::new(set);
            let info = Arc::clone(&set.info);
            let previous = self.current.swap(set);
            ReloadReport {
                previous: previous.info.digest().to_owned(),
                digest: info.digest().to_owned(),
                warnings: info.warnings(),
                elapsed: started.elapsed(),
            }
        });
        self.metrics.reload(result.is_ok());
        match &result {
            Ok(report) => tracing::info!(digest = report.digest, "another policy set is in force"),
            Err(error) => tracing::error!(%error, "the last good policy set stays in force"),
        }
        if let Some(observer) = &self.observer {
            observer.reloaded(result.as_ref());
        }
        result
    }
}

/// A principal that was accepted once and is not any more: the set that is in force now does not know its values.
fn unprepared(error: &impl std::fmt::Debug) -> Failure {
    Failure::new(Fault::Unavailable, format!("the profile cannot be used with the policy set in force: {error:?}"))
}

/// The action in a request's text.
fn action(request: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        action: String,
    }
    serde_json::from_str::<Named>(request).ok().map(|named| named.action)
}

/// A deadline so far away that it cannot be counted is one that is a day away.
fn after(now: Instant, wait: Duration) -> Instant {
    const DAY: Duration = Duration::from_secs(86_400);
    now.checked_add(wait.min(DAY)).unwrap_or(now)
}
