//! Whether plain Cedar and the component decide alike, looked at beside the measuring and never within it.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use cedargate::model::{Profile, Request, Timestamp};
use cedargate::{Decision, Fault};
use cedargate_yardstick::native::Base;
use cedargate_yardstick::verdict::{self, Verdict};

/// Decisions of one round and kind that are compared however long it takes.
const COMPARED_MIN: usize = 8;

/// After that long the others of a round and kind are taken on trust: plain Cedar takes its time in large sets.
const PATIENCE: Duration = Duration::from_millis(100);

/// Decisions are taken from all parts of a round: every one of this many first, then the ones behind those.
const STRIDE: usize = 16;

/// A decision with all that it was made from.
pub(crate) struct Decided<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) request: Cow<'a, Request>,
    pub(crate) at: Timestamp,
    pub(crate) decision: Decision,
}

/// Compares decisions of one round with those of plain Cedar.
pub(crate) fn compare(base: &Base, decided: &[Decided<'_>]) -> anyhow::Result<()> {
    if let Some((fault, detail)) = decided.iter().find_map(|decided| fault(&decided.decision)) {
        bail!("a request was not decided: {}{detail}", fault.code());
    }
    let started = Instant::now();
    let order = (0..STRIDE).flat_map(|first| decided.iter().skip(first).step_by(STRIDE));
    for (compared, decided) in order.enumerate() {
        if compared >= COMPARED_MIN && started.elapsed() > PATIENCE {
            break;
        }
        let Decided { profile, request, at, decision } = decided;
        let native = verdict::native(base, profile, request, *at).context("plain Cedar cannot decide a request")?;
        let component = Verdict::from(decision);
        if native != component {
            bail!(
                "plain Cedar and the component decide differently, please report this\n  plain Cedar: {native:?}\n  \
                 component:   {component:?}\n  at {at}, principal {}, request {}",
                serde_json::to_string(profile)?,
                serde_json::to_string(request)?,
            );
        }
    }
    Ok(())
}

/// Why there is no decision, with what else is known.
pub(crate) fn fault(decision: &Decision) -> Option<(Fault, String)> {
    let detail = decision.detail().map(|detail| format!(", {detail}")).unwrap_or_default();
    decision.fault().map(|fault| (fault, detail))
}
