//! What a decision point holds in memory, measured in a process of its own: what one set leaves behind does not count
//! for the next.

use std::env;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use cedargate::model::{Profile, Request, Timestamp};
use cedargate::{Pdp, Principal};
use cedargate_yardstick::sets::START;
use serde::{Deserialize, Serialize};

use super::instances;
use super::source::{BLOCK, uncounted};
use super::subject::{Subject, Usage};
use crate::cache;

/// Instances that are ready when memory is read.
const INSTANCES: usize = 4;

/// Decisions that are remembered then, and how long that may take.
const REMEMBERED_MAX: usize = 100_000;
const PATIENCE: Duration = Duration::from_secs(20);

/// Principals whose decisions those are: a decision point keeps no more than an eighth for one.
const CALLERS: usize = 64;

/// The option of the process of its own.
pub(crate) const OPTION: &str = "--memory-of";

/// The memory of one decision point. Sizes are absent where the system does not tell them.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// With four instances ready, beyond what was resident before.
    pub(crate) rss_bytes: Option<u64>,
    /// Decisions that were made then, each about another request.
    pub(crate) remembered: usize,
    /// What they added.
    pub(crate) remembered_bytes: Option<u64>,
}

/// Measures a set in a process of its own.
pub(crate) fn of(subject: &Subject, policies: Option<&Path>, calls: usize) -> anyhow::Result<Memory> {
    let program = env::current_exe().context("the name of this program is not known")?;
    let mut command = Command::new(program);
    command.args(["policy", "bench", OPTION, &subject.size().unwrap_or(0).to_string()]);
    // What is freed is given back at once: the allocator's own stock is not what a decision point holds.
    command.env("MIMALLOC_PURGE_DELAY", "0");
    command.args(["--seed", &subject.seed.to_string(), "--calls", &calls.to_string()]);
    if let Some(policies) = policies {
        command.arg("--policies").arg(policies);
    }
    if let Some(folder) = cache::folder() {
        command.arg("--cache-dir").arg(folder);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.context("the process that measures memory cannot be started")?;
    if !output.status.success() {
        bail!("memory could not be measured: the process that does ended with {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("the process that measures memory said what nobody understands")
}

/// Measures a set in this process, which does nothing else.
pub(crate) fn here(subject: &Subject, calls: usize) -> anyhow::Result<Memory> {
    // Made before the first look, so that what is asked does not count.
    let asked = Asked::new(subject, REMEMBERED_MAX.min(calls.saturating_mul(100)));
    let before = resident_bytes();
    let pdp = subject.build(INSTANCES, None)?;
    instances::warm(&pdp, INSTANCES)?;
    let built = resident_bytes();
    let principals: Vec<Principal> =
        asked.profiles.iter().map(|profile| pdp.principal(profile)).collect::<Result<_, _>>()?;
    asked.decide(&pdp, &principals, 0..asked.settling);
    let settled = resident_bytes();
    let remembered = asked.decide(&pdp, &principals, asked.settling..asked.requests.len());
    let ended = resident_bytes();
    let more = |after: Option<u64>, before: Option<u64>| Some(after?.saturating_sub(before?));
    Ok(Memory { rss_bytes: more(built, before), remembered, remembered_bytes: more(ended, settled) })
}

/// What is asked so that it is remembered.
struct Asked {
    profiles: Vec<Profile>,
    /// A place among the profiles, and its request.
    requests: Vec<(usize, Request)>,
    /// So many of them come first, so that the principals themselves do not count.
    settling: usize,
}

impl Asked {
    fn new(subject: &Subject, count: usize) -> Self {
        let mut traffic = subject.traffic(Usage::Memory);
        let profiles: Vec<Profile> = (0..CALLERS).map(|_| traffic.profile()).collect();
        let settling = (BLOCK * CALLERS).min(count);
        let callers = profiles.iter().enumerate().cycle().take(settling + count);
        // With counters nothing is remembered.
        let requests = callers.map(|(place, profile)| (place, uncounted(traffic.request(profile)))).collect();
        Self { profiles, requests, settling }
    }

    /// Decides these of the requests, as many as there is time for, and says how many those were.
    fn decide(&self, pdp: &Pdp, principals: &[Principal], which: Range<usize>) -> usize {
        let started = Instant::now();
        let mut decided = 0;
        for (place, request) in self.requests.iter().take(which.end).skip(which.start) {
            let Some(principal) = principals.get(*place) else { continue };
            if started.elapsed() > PATIENCE {
                break;
            }
            // At one time, so that none is forgotten because it has ended.
            let _ = pdp.decide(principal, request, Timestamp::from_millis(START.as_millis()));
            decided += 1;
        }
        decided
    }
}

/// The memory of this process that is resident, in bytes.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}
