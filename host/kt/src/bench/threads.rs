//! What a second thread brings.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use cedargate::model::{Request, Timestamp};
use cedargate::{Pdp, Principal};
use cedargate_yardstick::sets::START;
use cedargate_yardstick::traffic::Traffic;

use super::equality;
use super::figure::percentile;
use super::source::{BLOCK, CALLERS};
use super::subject::{Subject, Usage};

/// Runs of either kind.
const RUNS: usize = 5;

/// How long one run is to take.
const RUN: Duration = Duration::from_millis(50);

/// Decisions of one thread in one run.
const DECISIONS_MIN: u64 = 32;
const DECISIONS_MAX: u64 = 5_000;

/// How often each principal is asked about before: each of the two instances has to know it.
const SETTLING: usize = 4 * BLOCK;

/// What one thread asks in one run.
type Load = Vec<(Principal, Request, Timestamp)>;

/// Decisions a second on two threads by those on one: the median of some runs in turn. Every thread has principals
/// and requests of its own, and no request was seen before.
pub(crate) fn speedup(subject: &Subject, cold_ns: u64, calls: usize) -> anyhow::Result<f64> {
    let pdp = subject.build(2, None)?;
    let mut asker = Asker::new(subject.traffic(Usage::Threads), &pdp)?;
    let wanted = u64::try_from(RUN.as_nanos()).unwrap_or(u64::MAX) / cold_ns.max(1);
    let decisions = usize::try_from(wanted.clamp(DECISIONS_MIN, DECISIONS_MAX))?.min(calls.saturating_mul(8));
    run(&pdp, &[asker.load(0, SETTLING * CALLERS), asker.load(1, SETTLING * CALLERS)])?;
    let mut speedups = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let one = run(&pdp, &[asker.load(0, decisions)])?;
        let two = run(&pdp, &[asker.load(0, decisions), asker.load(1, decisions)])?;
        speedups.push(2.0 * one.as_secs_f64() / two.as_secs_f64().max(f64::MIN_POSITIVE));
    }
    speedups.sort_unstable_by(f64::total_cmp);
    percentile(&speedups, 50).ok_or_else(|| anyhow!("nothing was measured with threads"))
}

/// Makes what the threads ask.
struct Asker {
    traffic: Traffic,
    /// The principals of either thread.
    principals: [Vec<(cedargate::model::Profile, Principal)>; 2],
    clock_ms: i64,
}

impl Asker {
    fn new(mut traffic: Traffic, pdp: &Pdp) -> anyhow::Result<Self> {
        let mut principals = [Vec::new(), Vec::new()];
        for own in &mut principals {
            for _ in 0..CALLERS / 2 {
                let profile = traffic.profile();
                let principal = pdp.principal(&profile)?;
                own.push((profile, principal));
            }
        }
        Ok(Self { traffic, principals, clock_ms: START.as_millis() })
    }

    fn load(&mut self, thread: usize, decisions: usize) -> Load {
        let Self { traffic, principals, clock_ms } = self;
        let own = principals.get(thread).map(Vec::as_slice).unwrap_or_default();
        let asked = own.iter().cycle().take(decisions).map(|(profile, principal)| {
            *clock_ms += 1;
            (principal.clone(), traffic.request(profile), Timestamp::from_millis(*clock_ms))
        });
        asked.collect()
    }
}

/// Decides everything, a thread for each load, and says how long it took from the first call to the last.
fn run(pdp: &Pdp, loads: &[Load]) -> anyhow::Result<Duration> {
    let barrier = Barrier::new(loads.len());
    let timed: Vec<anyhow::Result<(Instant, Instant)>> = thread::scope(|scope| {
        let threads: Vec<_> = loads.iter().map(|load| scope.spawn(|| decide_all(pdp, load, &barrier))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a thread that decides has panicked"))))
            .collect()
    });
    let timed: Vec<(Instant, Instant)> = timed.into_iter().collect::<Result<_, _>>()?;
    let started = timed.iter().map(|(started, _)| *started).min();
    let ended = timed.iter().map(|(_, ended)| *ended).max();
    match (started, ended) {
        (Some(started), Some(ended)) => Ok(ended.saturating_duration_since(started)),
        _ => bail!("there is no thread to measure"),
    }
}

fn decide_all(pdp: &Pdp, load: &Load, barrier: &Barrier) -> anyhow::Result<(Instant, Instant)> {
    barrier.wait();
    let started = Instant::now();
    for (principal, request, at) in load {
        let decision = pdp.decide(principal, request, *at);
        if let Some((fault, detail)) = equality::fault(&decision) {
            bail!("a request was not decided on two threads: {}{detail}", fault.code());
        }
    }
    Ok((started, Instant::now()))
}
