//! One decision: the outcome, its reasons, and how long it holds.

pub(crate) mod decision_cache;
pub(crate) mod policy_set;
pub(crate) mod principal;
pub(crate) mod residual;

use crate::cedar::oracle;
use crate::contract::profile::{self, Counters, InputError, Request};
use crate::contract::reads::Fields;
use crate::contract::time::NUMBER_MAX;
use crate::decide::decision_cache::{Uncounted, Verdict};
use crate::decide::policy_set::{Outcome, PolicySet};
use crate::decide::principal::Principal;
use crate::decide::residual::{Residual, next_after};
use crate::facts::value::{Field, Heap, Scratch, Value, World};
use crate::facts::vocabulary::{Fact, Vocabulary};
use crate::facts::{Maker, RequestFacts};
use crate::load::annotation::Class;
use crate::program::code::Code;
use crate::program::interpreter::{Fail, Scene};
use crate::program::rules::{Action, Effect, Rule, Rules, is_set};

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its class.
    pub outcome: Outcome,
    /// The policy whose status, code and message a denial carries, by its place in the table.
    pub deciding: Option<u32>,
    /// The determining policies, ascending.
    pub policies: Vec<u32>,
    /// The policies that could not be evaluated, ascending.
    pub errors: Vec<u32>,
    /// What each of `errors` said.
    pub messages: Vec<String>,
    /// It holds from this time on.
    pub since: i64,
    /// It holds until just before this time: the next boundary, cut at the set's `max_cache_ms` but for a host that
    /// sees changes.
    pub until: i64,
    /// The fields of the request that it depends on.
    pub reads: Fields,
}

impl Decision {
    /// Whether the request is admitted.
    #[must_use]
    pub fn is_allow(&self) -> bool {
        self.outcome == Outcome::Allowed
    }
}

/// What the rules said.
#[derive(Debug, Default)]
pub struct Findings {
    /// The rules that are satisfied.
    pub satisfied: Vec<u32>,
    /// The rules that could not be evaluated, and why.
    pub errors: Vec<(u32, String)>,
}

impl Findings {
    fn note(&mut self, rule: u32, result: Result<bool, Fail>) {
        match result {
            Ok(true) => self.satisfied.push(rule),
            Ok(false) => {}
            Err(fail) => self.errors.push((rule, fail.to_string())),
        }
    }

    /// Each rule once, ascending.
    fn sort(&mut self) {
        self.satisfied.sort_unstable();
        self.satisfied.dedup();
        self.errors.sort_unstable();
        self.errors.dedup();
    }
}

/// Memory that decisions use one after the other.
#[derive(Debug)]
pub struct Workspace {
    heap: Heap,
    scratch: Scratch,
    opened: Vec<(u32, u64)>,
}

impl Default for Workspace {
    fn default() -> Self {
        Self { heap: Heap::new(crate::facts::symbol::Layer::Request), scratch: Scratch::default(), opened: Vec::new() }
    }
}

impl Workspace {
    /// Above this, memory that one request needed is given back.
    const KEPT_MAX: usize = 1 << 12;

    fn clear(&mut self) {
        if self.heap.size() > Self::KEPT_MAX || self.opened.capacity() > Self::KEPT_MAX {
            *self = Self::default();
            return;
        }
        self.heap.clear();
        self.scratch.clear();
        self.opened.clear();
    }
}

/// Decides a request.
///
/// # Errors
/// [`InputError`]: what the client asked for cannot be asked, or the host's text is wrong.
pub fn decide(principal: &Principal, at: i64, request: &str, counters: &str) -> Result<Decision, InputError> {
    let set = &principal.set;
    let (Some(maker), Some(rules)) = (set.maker(), set.rules.as_ref()) else {
        return Err(InputError::Malformed("this set was loaded for the general door".into()));
    };
    check(at, request, counters, set)?;
    // Nothing that decides comes back here, so the memory is free.
    let mut work = set.workspace.borrow_mut();
    let asked = Asked { principal, set, maker, rules, at, request, counters };
    work.clear();
    if let Some(decided) = asked.again(&mut work) {
        return decided;
    }
    work.clear();
    asked.afresh(&mut work)
}

/// What can be said of a call before anything of it is read.
fn check(at: i64, request: &str, counters: &str, set: &PolicySet) -> Result<(), InputError> {
    if !(-NUMBER_MAX..=NUMBER_MAX).contains(&at) {
        return Err(InputError::Malformed("`at` is beyond 2^53 milliseconds".into()));
    }
    profile::bytes("request", request.len().saturating_add(counters.len()), set.limits())
}

#[derive(Clone, Copy)]
struct Asked<'s> {
    principal: &'s Principal,
    set: &'s PolicySet,
    maker: Maker<'s>,
    rules: &'s Rules,
    at: i64,
    request: &'s str,
    counters: &'s str,
}

impl<'s> Asked<'s> {
    fn scene<'w>(&self, work: (&'w Heap, &'w Scratch), action: &Action, resource: Value, context: Value) -> Scene<'w>
    where
        's: 'w,
    {
        let code: &'s Code = &self.rules.code;
        let (request, scratch) = work;
        let world = World { set: &self.rules.ground.heap, principal: &self.principal.facts.heap, request, scratch };
        let action = Value::Entity(Vocabulary::ACTION, action.facts.action);
        Scene { code, world, principal: self.principal.facts.principal, action, resource, context }
    }

    /// Decides a request that is remembered. `None` where it is not.
    fn again(&self, work: &mut Workspace) -> Option<Result<Decision, InputError>> {
        let (action, verdict) = self.set.cache.borrow_mut().get(self.principal.number, self.request)?;
        if !(verdict.from..verdict.until).contains(&self.at) {
            return None;
        }
        let action = self.rules.actions.get(action as usize)?;
        let residuals = self.principal.residuals.borrow();
        let residual = residuals.get(&action.number)?;
        if let (Some(decided), "") = (&verdict.uncounted, self.counters) {
            return Some(Ok(self.repeat(action, residual, decided)));
        }
        let counters = match self.counters {
            "" => Counters::default(),
            text => match Counters::read_checked(text) {
                Ok(counters) => counters,
                Err(error) => return Some(Err(error)),
            },
        };
        let mut findings = Findings { satisfied: verdict.satisfied.clone(), errors: Vec::new() };
        if !verdict.open.is_empty() {
            let (own, heap) = (&self.principal.facts.heap, &mut work.heap);
            let context = self.maker.bare_request(&action.facts, counters.all(), own, heap);
            let context = with_time(context, self.at, &mut work.heap);
            let scene = self.scene((&work.heap, &work.scratch), action, Value::Bool(false), context);
            for (rule, open) in &verdict.open {
                if let Some(it) = self.rules.rule(*rule) {
                    findings.note(*rule, self.rules.holds(it, !open, &scene));
                }
            }
        }
        Some(Ok(self.conclude(action, residual, findings)))
    }

    fn repeat(&self, action: &Action, residual: &Residual, decided: &Uncounted) -> Decision {
        Decision {
            outcome: decided.outcome,
            deciding: decided.deciding,
            policies: decided.policies.clone(),
            errors: Vec::new(),
            messages: Vec::new(),
            since: self.at,
            until: self.until(action, residual),
            reads: action.fields,
        }
    }

    fn afresh(&self, work: &mut Workspace) -> Result<Decision, InputError> {
        let request = Request::read(self.request, self.counters, self.set.limits())?;
        let action =
            self.rules.action(&request.action).or_else(|| self.rules.action(crate::decide::policy_set::UNKNOWN_ACTION));
        let Some(action) = action else {
            return Err(InputError::Malformed("this set has no actions".into()));
        };
        if action.facts.is_blind(&request) {
            return Ok(self.undecided());
        }
        let RequestFacts { resource, context } =
            self.maker.request(&action.facts, &request, &self.principal.facts, &mut work.heap)?;
        let context = with_time(context, self.at, &mut work.heap);
        let scene = self.scene((&work.heap, &work.scratch), action, resource, context);
        let mut residuals = self.principal.residuals.borrow_mut();
        let residual = residuals.entry(action.number).or_insert_with(|| Residual::new(self.rules, action, &scene));
        if !self.set.compiled {
            let findings = oracle::evaluate(self.set, &scene)?;
            let decision = self.conclude(action, residual, findings);
            return Ok(Decision { until: self.at, reads: Fields::ALL, ..decision });
        }
        residual.use_at(self.at, self.rules, action, &scene);
        self.rules.index.for_request(&scene, |rule| {
            if self.rules.admits(rule, action) {
                work.opened.push((rule, 0));
            }
        });
        let mut findings = Findings::default();
        for (rule, known) in work.opened.iter().copied().chain(residual.rules()) {
            if let Some(it) = self.rules.rule(rule) {
                findings.note(rule, self.rules.holds(it, known, &scene));
            }
        }
        // A text with counters of its own is not seen again, the tokens of a list would push out what is, and what errs
        // is not worth remembering.
        if findings.errors.is_empty() && !request.own_counters && request.current.is_none() {
            let satisfied = findings.satisfied.clone();
            let decision = self.conclude(action, residual, findings);
            self.remember(action, residual, &work.opened, &scene, (satisfied, &decision));
            return Ok(decision);
        }
        Ok(self.conclude(action, residual, findings))
    }

    /// The rules cannot know what they are asked about.
    fn undecided(&self) -> Decision {
        Decision {
            outcome: Outcome::Unavailable,
            deciding: None,
            policies: Vec::new(),
            errors: Vec::new(),
            messages: Vec::new(),
            since: self.at,
            until: self.at,
            reads: Fields::ALL,
        }
    }

    fn remember(
        &self,
        action: &Action,
        residual: &mut Residual,
        opened: &[(u32, u64)],
        scene: &Scene<'_>,
        (mut satisfied, decision): (Vec<u32>, &Decision),
    ) {
        // Between two boundaries, what depends on the time is as constant as what was asked.
        let timed = residual.now_only;
        let mut open: Vec<(u32, u64)> = Vec::new();
        for (rule, known) in opened.iter().copied().chain(residual.rules()) {
            let Some(it) = self.rules.rule(rule).filter(|it| it.counted || it.timed && timed) else { continue };
            match self.opens(it, known, timed, scene) {
                Opens::Never => {}
                Opens::If(conjuncts) => open.push((rule, conjuncts)),
                Opens::Unclear => return,
            }
        }
        open.sort_unstable();
        open.dedup();
        let settled = |rule: &u32| self.rules.rule(*rule).is_some_and(|it| !(it.counted || it.timed && timed));
        satisfied.retain(settled);
        satisfied.sort_unstable();
        satisfied.dedup();
        let (from, until) = residual.steady(self.at, action);
        let uncounted = (self.counters.is_empty() && !timed).then(|| Uncounted {
            outcome: decision.outcome,
            deciding: decision.deciding,
            policies: decision.policies.clone(),
        });
        let verdict = residual.share(Verdict { satisfied, open, from, until, uncounted });
        self.set.cache.borrow_mut().put(self.principal.number, self.request, action.number, verdict);
    }

    /// On which of its conjuncts a rule depends once the request is known.
    fn opens(&self, rule: &Rule, known: u64, timed: bool, scene: &Scene<'_>) -> Opens {
        let (mut open, mut can_err) = (0_u64, false);
        let conjuncts = self.rules.conjuncts(rule);
        if conjuncts.len() > u64::BITS as usize {
            return Opens::Unclear;
        }
        for (bit, conjunct) in (0_u32..).zip(conjuncts) {
            if is_set(known, bit) {
                continue;
            }
            if conjunct.counted || conjunct.timed && timed {
                if conjunct.asked {
                    return Opens::Unclear;
                }
                open |= 1 << bit;
                can_err |= conjunct.can_err;
                continue;
            }
            match scene.holds(conjunct.node) {
                Ok(true) => {}
                Ok(false) if !can_err => return Opens::Never,
                _ => return Opens::Unclear,
            }
        }
        Opens::If(open)
    }

    /// The first outcome that applies, in the order that the contract fixes.
    fn conclude(&self, action: &Action, residual: &Residual, mut findings: Findings) -> Decision {
        findings.sort();
        let Findings { satisfied, errors } = findings;
        let effect = |rule: &u32| self.rules.rule(*rule).map(|it| it.effect);
        // The table is sorted by id, so the first of a class has the bytewise smallest id.
        let first = |class| satisfied.iter().find(|rule| effect(rule) == Some(Effect::Forbid(class))).copied();
        let permitted = satisfied.iter().any(|rule| effect(rule) == Some(Effect::Permit));
        let (outcome, deciding) = if let Some(at) = first(Class::Unauthenticated) {
            (Outcome::Unauthenticated, Some(at))
        } else if !errors.is_empty() {
            (Outcome::PolicyError, None)
        } else if let Some(at) = first(Class::Forbidden) {
            (Outcome::Forbidden, Some(at))
        } else if !permitted {
            (Outcome::NotPermitted, None)
        } else if let Some(at) = first(Class::Throttled) {
            (Outcome::Throttled, Some(at))
        } else {
            (Outcome::Allowed, None)
        };
        let allow = outcome == Outcome::Allowed;
        let mut policies = satisfied;
        policies.retain(|rule| (effect(rule) == Some(Effect::Permit)) == allow);
        let until = if residual.now_only || !errors.is_empty() { self.at } else { self.until(action, residual) };
        let (errors, messages) = errors.into_iter().unzip();
        Decision { outcome, deciding, policies, errors, messages, since: self.at, until, reads: action.fields }
    }

    /// The next boundary. Who does not see a revocation may not remember a decision for longer than the set says.
    fn until(&self, action: &Action, residual: &Residual) -> i64 {
        let latest = if self.set.sees_changes { NUMBER_MAX } else { self.set.latest(self.at) };
        let next = [residual.boundary_after(self.at), next_after(&action.boundaries, self.at)];
        next.into_iter().flatten().fold(latest, i64::min)
    }
}

enum Opens {
    /// Whatever they are.
    Never,
    /// If these are true.
    If(u64),
    /// That cannot be said once for all.
    Unclear,
}

fn with_time(mut context: Vec<Field>, at: i64, heap: &mut Heap) -> Value {
    context.push((Fact::At.into(), Value::DateTime(at)));
    heap.add_record(&mut context)
}

/// Decides a request by Cedar's own evaluator, looking at every policy: what [`decide`] must agree with.
///
/// # Errors
/// As [`decide`].
pub fn decide_plainly(principal: &Principal, at: i64, request: &str, counters: &str) -> Result<Decision, InputError> {
    let set = &principal.set;
    let (Some(maker), Some(rules)) = (set.maker(), set.rules.as_ref()) else {
        return Err(InputError::Malformed("this set was loaded for the general door".into()));
    };
    check(at, request, counters, set)?;
    let asked = Asked { principal, set, maker, rules, at, request, counters };
    let mut work = Workspace::default();
    let read = Request::read(request, counters, set.limits())?;
    let action = rules.action(&read.action).or_else(|| rules.action(crate::decide::policy_set::UNKNOWN_ACTION));
    let Some(action) = action else {
        return Err(InputError::Malformed("this set has no actions".into()));
    };
    if action.facts.is_blind(&read) {
        return Ok(asked.undecided());
    }
    let RequestFacts { resource, context } = maker.request(&action.facts, &read, &principal.facts, &mut work.heap)?;
    let context = with_time(context, at, &mut work.heap);
    let scene = asked.scene((&work.heap, &work.scratch), action, resource, context);
    let residual = Residual::new(rules, action, &scene);
    Ok(asked.conclude(action, &residual, oracle::evaluate(set, &scene)?))
}
