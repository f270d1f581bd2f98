//! Many requests of one principal at once.

use std::time::Instant;

use crate::convert;
use crate::deadline::Deadline;
use crate::decider::{Decider, asks_about_token, share};
use crate::decision::Decision;
use crate::model::{Request, RequestRef, Timestamp};
use crate::policy_set::PolicySet;
use crate::principal::{Principal, Rulings};
use crate::remembered::Remembered;

/// Requests that are handed over at once: each such part of a batch has a deadline of its own.
const PART: usize = 64;

/// What is remembered of a batch.
struct Known<'a> {
    /// Requests that are remembered, and their decisions.
    requests: Vec<&'a Request>,
    decisions: Vec<Decision>,
    /// The places of the others, ascending.
    missing: Vec<usize>,
}

impl Decider {
    pub(crate) fn decide_many(&self, principal: &Principal, requests: &[Request], at: Timestamp) -> Vec<Decision> {
        let started = self.measure();
        let set = self.current.load();
        if !set.info.reads_tokens() && requests.iter().any(|request| asks_about_token(&request.into())) {
            return requests.iter().map(|request| self.decide_request(principal, &request.into(), at)).collect();
        }
        let Known { requests: known, decisions, missing } = self.known(&set, principal, requests, at);
        let texts = |n: usize| known.get(n).and_then(|request| convert::request(&RequestRef::from(*request)).ok());
        self.tell_remembered(&set, principal, at, started, &decisions, texts);
        if missing.is_empty() {
            return decisions;
        }
        let asked: Vec<&Request> = missing.iter().filter_map(|place| requests.get(*place)).collect();
        let mut asked = self.ask_many(&set, principal, &asked, at).into_iter();
        let mut known = decisions.into_iter();
        let mut missing = missing.into_iter().peekable();
        let next = |place| if missing.next_if_eq(&place).is_some() { asked.next() } else { known.next() };
        (0..requests.len()).filter_map(next).collect()
    }

    /// What is remembered of a batch.
    fn known<'a>(&self, set: &PolicySet, principal: &Principal, requests: &'a [Request], at: Timestamp) -> Known<'a> {
        let Some(table) = set.remembered.as_ref().filter(|_| self.runtime.is_ours()) else {
            return Known { requests: Vec::new(), decisions: Vec::new(), missing: (0..requests.len()).collect() };
        };
        let decisions = Vec::with_capacity(requests.len());
        let mut known = Known { requests: Vec::with_capacity(requests.len()), decisions, missing: Vec::new() };
        let mut key = Remembered::blank();
        for (place, request) in requests.iter().enumerate() {
            let is_kept = table.rewrite(&mut key, &request.into());
            match is_kept.then(|| table.find(principal.key(), &key, at)).flatten() {
                Some(decision) => {
                    known.requests.push(request);
                    known.decisions.push(decision);
                }
                None => known.missing.push(place),
            }
        }
        known
    }

    /// Has the component decide, part by part.
    fn ask_many(&self, set: &PolicySet, principal: &Principal, requests: &[&Request], at: Timestamp) -> Vec<Decision> {
        let mut decisions = Vec::with_capacity(requests.len());
        let limit = set.info.limits().batch.and_then(|batch| usize::try_from(batch).ok()).unwrap_or(PART);
        for part in requests.chunks(limit.clamp(1, PART)) {
            match self.decide_part(set, principal, part, at) {
                Some(decided) => {
                    Self::remember_part(set, principal, part, &decided, at);
                    decisions.extend(decided);
                }
                // One of them may have killed the instance: each gets a decision of its own.
                None => decisions
                    .extend(part.iter().map(|request| self.decide_request(principal, &RequestRef::from(*request), at))),
            }
        }
        decisions
    }

    /// Remembers the decisions of a part of a batch.
    fn remember_part(set: &PolicySet, principal: &Principal, part: &[&Request], decisions: &[Decision], at: Timestamp) {
        let Some(table) = &set.remembered else { return };
        for (request, decision) in part.iter().zip(decisions) {
            if let Some(key) = table.key(&RequestRef::from(*request)) {
                table.put(principal.key(), &key, at, decision);
            }
        }
    }

    /// Decides a part of a batch at once; `None` where that is not possible.
    fn decide_part(
        &self,
        set: &PolicySet,
        principal: &Principal,
        part: &[&Request],
        at: Timestamp,
    ) -> Option<Vec<Decision>> {
        let started = Instant::now();
        let (mut requests, mut counters) = (Vec::with_capacity(part.len()), Vec::with_capacity(part.len()));
        for request in part {
            let texts = convert::request(&RequestRef::from(*request)).ok()?;
            requests.push(texts.request);
            counters.push(texts.counters);
        }
        if !self.runtime.is_ours() || self.quarantine.is_watching() {
            return None;
        }
        let mut lease = set.pool.take(self.allowance.queue()).ok()?;
        let deadline = &mut Deadline::start(self.allowance.decide);
        let prepared = self.prepare(&mut lease, principal, deadline);
        let handle = self.note_trap(prepared, None).ok()?.ok()?;
        let instance = lease.instance().ok()?;
        // Each text costs a call into the guest, also an empty one.
        let counted: &[String] = if counters.iter().all(String::is_empty) { &[] } else { &counters };
        let decided = instance.decide_many(handle, at.as_millis(), &requests, counted, deadline);
        let decided = self.note_trap(decided, None).ok()?;
        let mut rulings = Rulings::of(principal);
        let converted: Result<Vec<_>, _> =
            decided.into_iter().map(|decided| convert::decision(&set.info, &mut rulings, at, decided)).collect();
        let converted = match converted {
            Ok(converted) if converted.len() == part.len() => converted,
            Ok(_) | Err(_) => {
                lease.instance().ok()?.condemn();
                return None;
            }
        };
        drop(lease);
        let share = || share(started, part.len());
        let told = converted.into_iter().zip(requests.iter().zip(&counters)).map(|(decision, (request, counters))| {
            let decision = self.finish(set, Ok(decision), request, counters, at);
            self.tell(principal, request, counters, at, &decision, share);
            decision
        });
        Some(told.collect())
    }
}
