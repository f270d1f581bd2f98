//! How a decision is made: what stands before an entry, the entry, and what becomes of a failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde::Deserialize;

use crate::bundle::Bundle;
use crate::convert::{self, RequestTexts};
use crate::deadline::Deadline;
use crate::decision::Decision;
use crate::engine::Runtime;
use crate::error::{LoadError, ProfileError};
use crate::fault::Fault;
use crate::instance::{Failure, Prepared};
use crate::metrics::Metrics;
use crate::model::{RequestRef, Target, Timestamp};
use crate::observer::{DecisionEvent, Observer};
use crate::outcome::Outcome;
use crate::policy_set::{Allowance, PolicySet};
use crate::pool::Lease;
use crate::principal::{Principal, Rulings};
use crate::quarantine::Quarantine;
use crate::reload::ReloadReport;
use crate::remembered::{Key, Remembered};
use crate::retry;
use crate::stack;
use crate::worker::Worker;

/// What all clones of a decision point share.
pub(crate) struct Decider {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) current: ArcSwap<PolicySet>,
    pub(crate) allowance: Allowance,
    pub(crate) metrics: Metrics,
    pub(crate) quarantine: Quarantine,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) timings: bool,
    pub(crate) worker: Worker,
}

pub(crate) fn forked() -> Failure {
    Failure::new(
        Fault::Unavailable,
        "this process was forked from the one that built the decision point: build another",
    )
}

impl Decider {
    pub(crate) fn principal(&self, profile: String) -> Result<Principal, ProfileError> {
        let principal = Principal::new(profile);
        let prepared = (|| {
            if !self.runtime.is_ours() {
                return Err(forked());
            }
            let set = self.current.load();
            let mut lease = set.pool.take(self.allowance.queue())?;
            let result = self.prepare(&mut lease, &principal, &mut Deadline::start(self.allowance.prepare));
            self.note_trap(result, None)
        })();
        match prepared {
            Ok(Ok(_)) => Ok(principal),
            Ok(Err(error)) => Err(convert::profile_error(error)),
            Err(Failure { fault, cause }) => Err(ProfileError::Fault { fault, cause }),
        }
    }

    pub(crate) fn prepare(
        &self,
        lease: &mut Lease<'_>,
        principal: &Principal,
        deadline: &mut Deadline,
    ) -> Result<Prepared, Failure> {
        let instance = lease.instance()?;
        let started = (self.timings && !instance.holds(principal.key())).then(Instant::now);
        let prepared = instance.prepare(principal.key(), principal.profile(), deadline)?;
        if let Some(started) = started {
            self.metrics.prepare.note(started.elapsed());
        }
        Ok(prepared)
    }

    /// The clock, where somebody wants to know how long something takes.
    pub(crate) fn measure(&self) -> Option<Instant> {
        (self.timings || self.observer.is_some()).then(Instant::now)
    }

    /// Decides a request: by what is remembered, or else by the component.
    pub(crate) fn decide_request(&self, principal: &Principal, request: &RequestRef<'_>, at: Timestamp) -> Decision {
        let started = self.measure();
        let set = self.current.load();
        if asks_about_token(request) && !set.info.reads_tokens() {
            return self.untold(&set, at);
        }
        let key = set.remembered.as_ref().and_then(|table| Some((table, table.key(request)?)));
        self.decide_keyed(&set, key, principal, at, started, || convert::request(request))
    }

    /// Decides a request in the record's form.
    pub(crate) fn decide(&self, principal: &Principal, request: &str, counters: &str, at: Timestamp) -> Decision {
        let started = self.measure();
        let set = self.current.load();
        let key = set.remembered.as_ref().and_then(|table| Some((table, table.text_key(request, counters)?)));
        let texts = || Ok(RequestTexts { request: request.to_owned(), counters: counters.to_owned() });
        match key {
            Some(key) => self.decide_keyed(&set, Some(key), principal, at, started, texts),
            None => stack::with_enough(|| self.ask(&set, principal, request, counters, at)),
        }
    }

    fn decide_keyed(
        &self,
        set: &PolicySet,
        key: Option<(&Remembered, Key)>,
        principal: &Principal,
        at: Timestamp,
        started: Option<Instant>,
        texts: impl Fn() -> Result<RequestTexts, serde_json::Error>,
    ) -> Decision {
        // After a fork no reload reaches this process any more, so nothing that is remembered is fresh.
        if let Some((table, key)) = &key
            && self.runtime.is_ours()
            && let Some(decision) = table.find(principal.key(), key, at)
        {
            self.tell_remembered(set, principal, at, started, std::slice::from_ref(&decision), |_| texts().ok());
            return decision;
        }
        let decision = stack::with_enough(|| match texts() {
            Ok(RequestTexts { request, counters }) => self.ask(set, principal, &request, &counters, at),
            Err(error) => self.unwritable(at, &error),
        });
        if let Some((table, key)) = &key {
            table.put(principal.key(), key, at, &decision);
        }
        decision
    }

    /// What becomes of decisions that were remembered: they are counted and told like any others.
    pub(crate) fn tell_remembered(
        &self,
        set: &PolicySet,
        principal: &Principal,
        at: Timestamp,
        started: Option<Instant>,
        decisions: &[Decision],
        texts: impl Fn(usize) -> Option<RequestTexts>,
    ) {
        let elapsed = started.map(|started| share(started, decisions.len())).unwrap_or_default();
        self.metrics.remembered.add(decisions.len());
        for alike in decisions.chunk_by(|one, next| Arc::ptr_eq(&one.ruling, &next.ruling)) {
            if let Some(decision) = alike.first() {
                set.add(decision, alike.len());
            }
        }
        if self.timings {
            self.metrics.decide_remembered.note_many(elapsed, decisions.len());
        }
        let Some(observer) = &self.observer else { return };
        for (n, decision) in decisions.iter().enumerate() {
            if let Some(RequestTexts { request, counters }) = texts(n) {
                let (request, counters) = (&*request, &*counters);
                observer.decided(&DecisionEvent { principal, request, counters, at, decision, elapsed });
            }
        }
    }

    /// Has the component decide.
    fn ask(&self, set: &PolicySet, principal: &Principal, request: &str, counters: &str, at: Timestamp) -> Decision {
        let started = Instant::now();
        let span = tracing::debug_span!("decide", outcome = tracing::field::Empty, code = tracing::field::Empty);
        let _entered = span.enter();
        let attempt = self.enter(principal, request, || {
            let mut lease = set.pool.take(self.allowance.queue())?;
            self.attempt(set, &mut lease, principal, request, counters, at)
        });
        let decision = self.finish(set, attempt, request, counters, at);
        if !span.is_disabled() {
            span.record("outcome", decision.outcome().name());
            span.record("code", decision.code().unwrap_or_default());
        }
        self.tell(principal, request, counters, at, &decision, || started.elapsed());
        decision
    }

    pub(crate) fn decide_text(
        &self,
        principal: &Principal,
        request: &str,
        counters: &str,
        at: Timestamp,
    ) -> Result<String, Decision> {
        let set = self.current.load();
        let text = self.enter(principal, request, || {
            let mut lease = set.pool.take(self.allowance.queue())?;
            let deadline = &mut Deadline::start(self.allowance.decide);
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

    pub(crate) fn note_trap<R>(
        &self,
        result: Result<R, Failure>,
        of: Option<(&Principal, &str)>,
    ) -> Result<R, Failure> {
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

    fn attempt(
        &self,
        set: &PolicySet,
        lease: &mut Lease<'_>,
        principal: &Principal,
        request: &str,
        counters: &str,
        at: Timestamp,
    ) -> Result<Decision, Failure> {
        let deadline = &mut Deadline::start(self.allowance.decide);
        let handle = self.prepare(lease, principal, deadline)?.map_err(|error| unprepared(&error))?;
        let instance = lease.instance()?;
        let decided = instance.decide(handle, at.as_millis(), request, counters, deadline)?;
        convert::decision(&set.info, &mut Rulings::of(principal), at, decided).map_err(|garbage| {
            instance.condemn();
            Failure::new(Fault::Reply, format!("the reply holds {garbage}"))
        })
    }

    /// Turns a failure into a denial, and counts.
    pub(crate) fn finish(
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
        match decision.fault() {
            Some(fault) => self.metrics.fault(fault),
            None => set.count(&decision),
        }
        if !set.info.is_compiled() {
            self.metrics.full_scans.count();
        }
        if decision.outcome() == Outcome::Throttled && decision.code() == Some(retry::RATE_CODE) {
            decision.retry_after = retry::after(at, request, counters);
        }
        decision
    }

    /// The denial where the component does not read what the rules need: asked without it, it might admit.
    pub(crate) fn untold(&self, set: &PolicySet, at: Timestamp) -> Decision {
        let failure = Failure::new(Fault::Unavailable, "this component reads no `current`: use a newer one");
        self.finish(set, Err(failure), "", "", at)
    }

    pub(crate) fn tell(
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
    pub(crate) fn unwritable(&self, at: Timestamp, error: &serde_json::Error) -> Decision {
        let set = Arc::clone(&self.current.load().info);
        Decision::unavailable(set, Fault::Unavailable, at, error.to_string())
    }

    /// Runs on the SDK's thread.
    pub(crate) fn reload(&self, bundle: &Bundle) -> Result<ReloadReport, LoadError> {
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

/// Whether a request says of a token what only newer components read.
pub(crate) fn asks_about_token(request: &RequestRef<'_>) -> bool {
    let is_new = |target: &Target| target.budgets.is_some() || target.attributes.is_some();
    request.current.is_some() || request.target.is_some_and(is_new)
}

/// The action in a request's text.
fn action(request: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        action: String,
    }
    serde_json::from_str::<Named>(request).ok().map(|named| named.action)
}

/// What one of so many took since then.
pub(crate) fn share(started: Instant, of: usize) -> Duration {
    started.elapsed() / u32::try_from(of).unwrap_or(u32::MAX).max(1)
}
