//! Recorded requests to measure with.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use cedargate::model::{Profile, Record, Request};

use super::source::{CALLERS, Recorded};
use crate::replay::input::Input;
use crate::replay::progress::Counter;

/// Reads a file of records and keeps the principals that ask most, each request once.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Recorded>> {
    let input = Input::from_argument(path.to_owned());
    let name = input.name();
    let cannot = || format!("cannot read `{name}`");
    let mut lines = input.open(Counter::default()).with_context(cannot)?;
    let mut principals: BTreeMap<String, Recorded> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    while let Some(line) = lines.next().with_context(cannot)? {
        let place = || format!("`{name}`, line {}", line.number);
        let text = line.text.as_ref().map_err(|error| anyhow!("{}: {error}", place()))?;
        let record = Record::from_line(text).with_context(place)?;
        let request: Request = serde_json::from_str(record.request()).context("`request`").with_context(place)?;
        if !seen.insert((record.principal().to_owned(), record.request().to_owned())) {
            continue;
        }
        if let Some(known) = principals.get_mut(record.principal()) {
            known.requests.push_back((request, record.at()));
        } else {
            let profile: Profile =
                serde_json::from_str(record.principal()).context("`principal`").with_context(place)?;
            let requests = VecDeque::from([(request, record.at())]);
            principals.insert(record.principal().to_owned(), Recorded { profile, requests });
        }
    }
    let mut recorded: Vec<_> = principals.into_values().collect();
    recorded.sort_by_key(|recorded| std::cmp::Reverse(recorded.requests.len()));
    recorded.truncate(CALLERS);
    if recorded.is_empty() {
        bail!("`{name}` holds no record: there is nothing to measure with");
    }
    Ok(recorded)
}
