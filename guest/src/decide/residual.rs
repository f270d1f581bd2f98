//! What deciding about one action of one principal needs, found once for all its requests.

use crate::decide::decision_cache::Verdict;
use crate::facts::value::Value;
use crate::program::interpreter::Scene;
use crate::program::rules::{Action, Rules};
use std::rc::Rc;

/// A principal pays for looking at its rules only after it has come back so often.
const PATIENCE: u32 = 2;

/// So many rules are looked at in one decision.
const SLICE: usize = 256;

/// So many verdicts are compared with a new one.
const VERDICTS: usize = 8;

/// Rules of which some were found to be false for the principal, whatever it asks.
#[derive(Debug, Default)]
struct Pruned {
    /// The rules that can be satisfied, with their conjuncts that are true whatever is asked.
    kept: Vec<(u32, u64)>,
    pending: Vec<u32>,
}

impl Pruned {
    fn new(pending: Vec<u32>) -> Self {
        Self { kept: Vec::new(), pending }
    }

    /// Looks at the next rules.
    fn look(&mut self, rules: &Rules, scene: &Scene<'_>) {
        let from = self.pending.len().saturating_sub(SLICE);
        for rule in self.pending.split_off(from) {
            let known = rules.rule(rule).and_then(|it| rules.known(it, scene));
            self.kept.extend(known.map(|known| (rule, known)));
        }
    }

    fn all(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.kept.iter().copied().chain(self.pending.iter().map(|rule| (*rule, 0)))
    }
}

/// A residual.
#[derive(Debug)]
pub struct Residual {
    uses: u32,
    rules: Pruned,
    timed: Pruned,
    /// The times between which the rules that are found by the time are those of `timed`.
    within: (i64, i64),
    /// The times at which the decision may change, ascending, beside those that hold for everybody.
    boundaries: Vec<i64>,
    /// The time is used in a way that makes the decision hold for one millisecond only.
    pub now_only: bool,
    verdicts: Vec<Rc<Verdict>>,
}

impl Residual {
    /// A residual. The scene is that of the principal and the action, without a request.
    #[must_use]
    pub fn new(rules: &Rules, action: &Action, scene: &Scene<'_>) -> Self {
        let mut found = action.always.clone();
        rules.index.for_principal(scene, |rule| {
            if rules.admits(rule, action) {
                found.push(rule);
            }
        });
        let mut residual = Self {
            uses: 0,
            rules: Pruned::new(found),
            timed: Pruned::default(),
            within: (0, 0),
            boundaries: Vec::new(),
            now_only: false,
            verdicts: Vec::new(),
        };
        for rule in &action.odd {
            residual.now_only |= rules.rule(*rule).is_some_and(|rule| rules.known(rule, scene).is_some());
        }
        for comparison in &action.comparisons {
            match scene.value(comparison.with) {
                Ok(Value::DateTime(at)) => comparison.push(at, &mut residual.boundaries),
                // Where it is reached it errs, and a decision with an error is not remembered.
                Err(_) => {}
                Ok(_) => residual.now_only = true,
            }
        }
        residual.boundaries.sort_unstable();
        residual.boundaries.dedup();
        residual
    }

    /// Takes note of a decision at a time.
    pub fn use_at(&mut self, at: i64, rules: &Rules, action: &Action, scene: &Scene<'_>) {
        self.uses = self.uses.saturating_add(1);
        if !(self.within.0..self.within.1).contains(&at) {
            self.within = action.windows.around(at);
            self.timed = Pruned::new(action.windows.at(at));
        }
        if self.uses > PATIENCE {
            if self.rules.pending.is_empty() {
                self.timed.look(rules, scene);
            } else {
                self.rules.look(rules, scene);
            }
        }
    }

    /// The rules that a request can satisfy, beside those that it opens itself, with what is known of them.
    pub fn rules(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.rules.all().chain(self.timed.all())
    }

    /// The next boundary after a time.
    #[must_use]
    pub fn boundary_after(&self, at: i64) -> Option<i64> {
        next_after(&self.boundaries, at)
    }

    /// The times around the last one between which no comparison with the time has another result, unless the residual
    /// says `now_only`: then those between which the same rules are looked at.
    #[must_use]
    pub fn steady(&self, at: i64, action: &Action) -> (i64, i64) {
        let (mut from, mut until) = self.within;
        if !self.now_only {
            for times in [&self.boundaries, &action.boundaries] {
                let next = times.partition_point(|time| *time <= at);
                from = from.max(next.checked_sub(1).and_then(|last| times.get(last).copied()).unwrap_or(i64::MIN));
                until = until.min(times.get(next).copied().unwrap_or(i64::MAX));
            }
        }
        (from, until)
    }

    /// The one object for a verdict, where an equal one is known.
    pub fn share(&mut self, verdict: Verdict) -> Rc<Verdict> {
        if let Some(known) = self.verdicts.iter().find(|known| ***known == verdict) {
            return Rc::clone(known);
        }
        let verdict = Rc::new(verdict);
        if self.verdicts.len() >= VERDICTS {
            self.verdicts.remove(0);
        }
        self.verdicts.push(Rc::clone(&verdict));
        verdict
    }
}

/// The first of ascending times that lies after another.
#[must_use]
pub fn next_after(times: &[i64], at: i64) -> Option<i64> {
    times.get(times.partition_point(|time| *time <= at)).copied()
}
