//! Many requests of one principal at once.

use std::time::Instant;

use crate::convert;
use crate::decider::{Decider, after};
use crate::decision::Decision;
use crate::model::{Request, Timestamp};
use crate::policy_set::PolicySet;
use crate::principal::{Principal, Rulings};
use crate::remembered::Remembered;

/// Requests that are handed over at once: each such part of a batch has a deadline of its own.
const PART: usize = 64;

impl Decider {
    pub(crate) fn decide_many(&self, principal: &Principal, requests: &[Request], at: Timestamp) -> Vec<Decision> {
        let mut decisions = Vec::with_capacity(requests.len());
        let set = self.current.load();
        let limit = set.info.limits().batch.and_then(|batch| usize::try_from(batch).ok()).unwrap_or(PART);
        if let Some(remembered) = self.all_remembered(&set, principal, requests, at) {
            return remembered;
        }
        for part in requests.chunks(limit.clamp(1, PART)) {
            match self.decide_part(&set, principal, part, at) {
                Some(decided) => {
                    Self::remember_part(&set, principal, part, &decided, at);
                    decisions.extend(decided);
                }
                // One of them may have killed the instance: each gets a decision of its own.
                None => decisions.extend(part.iter().map(|request| self.decide_request(principal, request, at))),
            }
        }
        decisions
    }

    /// The decisions of a batch in which every request is remembered.
    fn all_remembered(
        &self,
        set: &PolicySet,
        principal: &Principal,
        requests: &[Request],
        at: Timestamp,
    ) -> Option<Vec<Decision>> {
        let table = set.remembered.as_ref().filter(|_| self.runtime.is_ours())?;
        let mut key = Remembered::blank();
        let mut found = Vec::with_capacity(requests.len());
        for request in requests {
            if !table.rewrite(&mut key, request) {
                return None;
            }
            found.push(table.find(principal.key(), &key, at)?);
        }
        let texts = |n: usize| requests.get(n).and_then(|request| convert::request(request).ok());
        self.tell_remembered(set, principal, at, &found, texts);
        Some(found)
    }

    /// Remembers the decisions of a part of a batch.
    fn remember_part(set: &PolicySet, principal: &Principal, part: &[Request], decisions: &[Decision], at: Timestamp) {
        let Some(table) = &set.remembered else { return };
        for (request, decision) in part.iter().zip(decisions) {
            if let Some(key) = table.key(request) {
                table.put(principal.key(), &key, at, decision);
            }
        }
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
        let share = || started.elapsed() / u32::try_from(part.len()).unwrap_or(u32::MAX).max(1);
        let told = converted.into_iter().zip(requests.iter().zip(&counters)).map(|(decision, (request, counters))| {
            let decision = self.finish(set, Ok(decision), request, counters, at);
            self.tell(principal, request, counters, at, &decision, share);
            decision
        });
        Some(told.collect())
    }
}
