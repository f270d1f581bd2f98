//! Measures one policy set, round by round, all kinds in every round: what disturbs the machine for a while disturbs
//! all of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use cedargate::Pdp;
use cedargate::model::{Counter, Request, Timestamp};
use cedargate_yardstick::native::{self, Base};
use cedargate_yardstick::prepare::prepare;
use serde_json::json;

use super::equality::{self, Decided};
use super::figure::{Figure, Kind, Times};
use super::lap::Lap;
use super::source::{BLOCK, CALLERS, Caller, Case, Source, Supply, uncounted};
use super::subject::{INSTANCES_MAX, Subject, Usage};

/// Decisions of each principal before anything is measured: enough for it to be specialised.
const SETTLING: usize = 2 * BLOCK;

/// Principals that are seen for the first time in one round, at most.
const NEWCOMERS_MAX: usize = 256;

/// Batches of one round, at least.
const BATCHES_MIN: usize = 8;

/// Batches that are asked again and again. Single calls ask for their requests one by one, and come back to each
/// before what is remembered of it ends: the time moves on by a millisecond with every call.
const WARM_BATCHES: usize = 2;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Calls of one kind in one round, at most.
    pub(crate) calls: usize,
    /// After that long one kind's calls end for this round.
    pub(crate) budget: Duration,
}

/// A request that was seen.
struct Warm {
    caller: Rc<Caller>,
    request: Request,
    text: String,
    at: Timestamp,
}

/// A batch that was seen.
struct WarmBatch {
    caller: Rc<Caller>,
    requests: Vec<Request>,
    at: Timestamp,
}

/// The measuring of one set.
pub(crate) struct Bench {
    effort: Effort,
    base: Base,
    /// Remembers as a decision point does by default.
    remembering: Pdp,
    /// Remembers nothing, so that every call goes to the component.
    forgetting: Pdp,
    source: Source,
    warm: Vec<Warm>,
    batches: Vec<WarmBatch>,
    /// Milliseconds by which the time of warm requests has moved on.
    steps: i64,
    times: BTreeMap<Kind, Times>,
    decisions: u64,
    full_scans: u64,
}

/// What the rounds showed.
pub(crate) struct Measured {
    pub(crate) figures: BTreeMap<Kind, Figure>,
    pub(crate) policies: usize,
    pub(crate) decisions: u64,
    pub(crate) full_scans: u64,
    /// The decision point, settled.
    pub(crate) pdp: Pdp,
}

impl Bench {
    /// Builds decision points and plain Cedar for a set, and lets the principals settle.
    pub(crate) fn new(subject: &mut Subject, effort: Effort) -> anyhow::Result<Self> {
        let remembering = subject.build(INSTANCES_MAX, None)?;
        let forgetting = subject.build(1, Some(0))?;
        // After the component has taken the policies: plain Cedar has no bounds of depth.
        let base = prepare(&subject.bundle)?;
        let supply = match subject.take_recorded() {
            Some(recorded) => Supply::Recorded(recorded),
            None => Supply::Generated(subject.traffic(Usage::Measure)),
        };
        let source = Source::new(supply, &remembering, &forgetting).context("a principal cannot be used")?;
        let mut bench = Self {
            effort,
            base,
            remembering,
            forgetting,
            source,
            warm: Vec::new(),
            batches: Vec::new(),
            steps: 0,
            times: BTreeMap::new(),
            decisions: 0,
            full_scans: 0,
        };
        bench.settle()?;
        Ok(bench)
    }

    /// Decides so often for each principal that what the component learns of it is learned. What was asked then is
    /// what has been seen from now on.
    fn settle(&mut self) -> anyhow::Result<()> {
        let wanted = SETTLING * CALLERS;
        let count = self.source.left().map_or(wanted, |left| wanted.min(left.div_ceil(4)));
        let seen = self.source.draw(count);
        for case in seen.iter().cycle().take(wanted.max(seen.len())) {
            let Case { caller, request, at } = case;
            let _ = self.remembering.decide(&caller.principal, request, *at);
            let _ = self.forgetting.decide(&caller.forgotten, request, *at);
        }
        for cases in batches(&seen).take(WARM_BATCHES) {
            let requests: Vec<Request> = cases.iter().map(|case| uncounted(case.request.clone())).collect();
            let Some(Case { caller, at, .. }) = cases.first() else { continue };
            // Single calls ask for the same as batches, so that what they cost can be compared.
            for request in &requests {
                let text = serde_json::to_string(request)?;
                self.warm.push(Warm { caller: Rc::clone(caller), request: request.clone(), text, at: *at });
            }
            self.batches.push(WarmBatch { caller: Rc::clone(caller), requests, at: *at });
        }
        Ok(())
    }

    /// One round of all kinds.
    pub(crate) fn round(&mut self, rounds_left: usize) -> anyhow::Result<()> {
        let calls = self.effort.calls;
        // Of recorded requests each round has its part: one half for single calls, one for batches.
        let part = self.source.left().map(|left| left / rounds_left.max(1) / 2);
        let sheet = self.source.draw(part.map_or(calls, |part| part.min(calls)));
        let batched = BLOCK * (calls / 32).max(BATCHES_MIN);
        let batched = self.source.draw(part.map_or(batched, |part| part.min(batched)));
        self.native(&sheet)?;
        self.cold(&sheet)?;
        for kind in [Kind::Warm, Kind::WarmCall, Kind::WarmCounters] {
            self.warm(kind)?;
        }
        self.first(&sheet)?;
        self.many_cold(&batched)?;
        self.many_warm(Kind::ManyWarm)?;
        self.many_warm(Kind::ManyWarmCall)
    }

    /// What all rounds showed.
    pub(crate) fn finish(self) -> Measured {
        let figures = self.times.into_iter().filter_map(|(kind, times)| Some((kind, times.figure()?))).collect();
        Measured {
            figures,
            policies: self.base.policies(),
            decisions: self.decisions,
            full_scans: self.full_scans,
            pdp: self.remembering,
        }
    }

    fn lap(&self, calls: usize) -> Lap {
        Lap::new(calls, self.effort.budget)
    }

    fn note(&mut self, kind: Kind, lap: Lap) {
        self.times.entry(kind).or_default().add_round(lap.into_times());
    }

    fn native(&mut self, sheet: &[Case]) -> anyhow::Result<()> {
        let mut lap = self.lap(self.effort.calls);
        for Case { caller, request, at } in sheet {
            if !lap.goes_on() {
                break;
            }
            let response = lap.time(|| native::decide(&self.base, &caller.profile, request, *at));
            response.context("plain Cedar cannot decide a request")?;
        }
        self.note(Kind::Native, lap);
        Ok(())
    }

    fn cold(&mut self, sheet: &[Case]) -> anyhow::Result<()> {
        let before = self.remembering.metrics().full_scans;
        let mut lap = self.lap(self.effort.calls);
        let mut decided = Vec::with_capacity(sheet.len());
        for Case { caller, request, at } in sheet {
            if !lap.goes_on() {
                break;
            }
            let decision = lap.time(|| self.remembering.decide(&caller.principal, request, *at));
            decided.push(Decided { profile: &caller.profile, request: Cow::Borrowed(request), at: *at, decision });
        }
        self.count(before, decided.len());
        self.note(Kind::Cold, lap);
        equality::compare(&self.base, &decided)
    }

    /// Counts decisions about requests that were not seen, and those of them that visited every policy.
    fn count(&mut self, full_scans_before: u64, decisions: usize) {
        let full_scans = self.remembering.metrics().full_scans;
        self.full_scans += full_scans.saturating_sub(full_scans_before);
        self.decisions += u64::try_from(decisions).unwrap_or(u64::MAX);
    }

    fn warm(&mut self, kind: Kind) -> anyhow::Result<()> {
        let counters = if kind == Kind::WarmCounters { counters(self.effort.calls, self.steps) } else { Vec::new() };
        let mut decided = Vec::with_capacity(self.effort.calls);
        let mut lap = self.lap(self.effort.calls);
        let mut next = counters.into_iter();
        for Warm { caller, request, text, at } in self.warm.iter().cycle() {
            if !lap.goes_on() {
                break;
            }
            self.steps += 1;
            let at = later(*at, self.steps);
            let counted = next.next();
            let counters = counted.as_ref().map_or("", |counted| counted.text.as_str());
            let decision = match kind {
                Kind::Warm => lap.time(|| self.remembering.decide(&caller.principal, request, at)),
                _ => lap.time(|| self.forgetting.decide_json(&caller.forgotten, text, counters, at)),
            };
            let request = counted.map_or(Cow::Borrowed(request), |counted| Cow::Owned(counted.within(request)));
            decided.push(Decided { profile: &caller.profile, request, at, decision });
        }
        let compared = equality::compare(&self.base, &decided);
        self.note(kind, lap);
        compared
    }

    fn first(&mut self, sheet: &[Case]) -> anyhow::Result<()> {
        let newcomers: Vec<_> = sheet.iter().take(NEWCOMERS_MAX).map(|like| self.source.newcomer(like)).collect();
        let before = self.remembering.metrics().full_scans;
        let mut lap = self.lap(NEWCOMERS_MAX);
        let mut decided = Vec::with_capacity(newcomers.len());
        for (profile, request, at) in &newcomers {
            if !lap.goes_on() {
                break;
            }
            let decision = lap.time(|| {
                let principal = self.remembering.principal(profile)?;
                Ok::<_, cedargate::ProfileError>(self.remembering.decide(&principal, request, *at))
            });
            decided.push(Decided { profile, request: Cow::Borrowed(request), at: *at, decision: decision? });
        }
        self.count(before, decided.len());
        self.note(Kind::First, lap);
        equality::compare(&self.base, &decided)
    }

    fn many_cold(&mut self, sheet: &[Case]) -> anyhow::Result<()> {
        let before = self.remembering.metrics().full_scans;
        let mut lap = self.lap(sheet.len());
        let mut decided = Vec::with_capacity(sheet.len());
        for cases in batches(sheet) {
            let Some(Case { caller, at, .. }) = cases.last() else { continue };
            if !lap.goes_on() {
                break;
            }
            let requests: Vec<Request> = cases.iter().map(|case| case.request.clone()).collect();
            let decisions =
                lap.time_shared(requests.len(), || self.remembering.decide_many(&caller.principal, &requests, *at));
            decided.extend(cases.iter().zip(decisions).map(|(case, decision)| Decided {
                profile: &caller.profile,
                request: Cow::Borrowed(&case.request),
                at: *at,
                decision,
            }));
        }
        self.count(before, decided.len());
        self.note(Kind::ManyCold, lap);
        equality::compare(&self.base, &decided)
    }

    fn many_warm(&mut self, kind: Kind) -> anyhow::Result<()> {
        let mut lap = self.lap((self.effort.calls / 32).max(BATCHES_MIN));
        let mut decided = Vec::new();
        for WarmBatch { caller, requests, at } in self.batches.iter().cycle() {
            if !lap.goes_on() {
                break;
            }
            self.steps += 1;
            let at = later(*at, self.steps);
            let (pdp, principal) = match kind {
                Kind::ManyWarm => (&self.remembering, &caller.principal),
                _ => (&self.forgetting, &caller.forgotten),
            };
            let decisions = lap.time_shared(requests.len(), || pdp.decide_many(principal, requests, at));
            decided.extend(requests.iter().zip(decisions).map(|(request, decision)| Decided {
                profile: &caller.profile,
                request: Cow::Borrowed(request),
                at,
                decision,
            }));
        }
        let compared = equality::compare(&self.base, &decided);
        self.note(kind, lap);
        compared
    }
}

/// A budget and a rate as a host passes them.
struct Counted {
    budget: Counter,
    rate: Counter,
    text: String,
}

impl Counted {
    /// The request with these counters in it.
    fn within(self, request: &Request) -> Request {
        let mut request = request.clone();
        (request.budget, request.rate) = (Some(self.budget), Some(self.rate));
        request
    }
}

/// So many counters, each other than the one before, and seldom exhausted.
fn counters(count: usize, start: i64) -> Vec<Counted> {
    let start = u64::try_from(start).unwrap_or(0);
    let made = (start..).take(count).map(|number| {
        let budget = Counter::new(1_000_000_000, number.saturating_mul(1_000), 1_000);
        let rate = Counter::new(60, number % 64, 1);
        let text = json!({"budget": budget, "rate": rate}).to_string();
        Counted { budget, rate, text }
    });
    made.collect()
}

/// Requests of one principal in a row.
fn batches(cases: &[Case]) -> impl Iterator<Item = &[Case]> {
    cases.chunk_by(|one, next| Rc::ptr_eq(&one.caller, &next.caller)).flat_map(|cases| cases.chunks(BLOCK))
}

fn later(at: Timestamp, by_ms: i64) -> Timestamp {
    Timestamp::from_millis(at.as_millis().saturating_add(by_ms))
}
