//! Rules that are false outside of a time window, found by a time.

use serde::{Deserialize, Serialize};

/// A time before which, and from which on, a rule is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// False before.
    pub from: i64,
    /// False from here on.
    pub until: i64,
    /// The rule.
    pub rule: u32,
}

/// TimeIndex, in the order of their beginnings: a balanced tree whose root is in the middle.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct TimeIndex {
    windows: Vec<Window>,
    /// For each, the latest end of the part of which it is the middle.
    latest: Vec<i64>,
    /// All beginnings and ends, ascending.
    edges: Vec<i64>,
}

impl TimeIndex {
    /// Puts windows in order.
    #[must_use]
    pub fn new(mut windows: Vec<Window>) -> Self {
        windows.sort_unstable_by_key(|window| (window.from, window.until, window.rule));
        let mut edges: Vec<i64> = windows.iter().flat_map(|window| [window.from, window.until]).collect();
        edges.sort_unstable();
        edges.dedup();
        let mut latest = vec![i64::MIN; windows.len()];
        fill(&windows, &mut latest);
        Self { windows, latest, edges }
    }

    /// The times around a time between which the same rules are found.
    #[must_use]
    pub fn around(&self, at: i64) -> (i64, i64) {
        let next = self.edges.partition_point(|edge| *edge <= at);
        let edge = |place: usize| self.edges.get(place).copied();
        (next.checked_sub(1).and_then(edge).unwrap_or(i64::MIN), edge(next).unwrap_or(i64::MAX))
    }

    /// The rules whose windows a time lies in. The work grows with their number, hardly with that of all.
    #[must_use]
    pub fn at(&self, at: i64) -> Vec<u32> {
        let mut found = Vec::new();
        visit(&self.windows, &self.latest, at, &mut found);
        found
    }
}

fn fill(windows: &[Window], latest: &mut [i64]) -> i64 {
    let middle = windows.len() / 2;
    let (Some((before, rest)), Some((ends_before, ends_rest))) =
        (windows.split_at_checked(middle), latest.split_at_mut_checked(middle))
    else {
        return i64::MIN;
    };
    let (Some((own, after)), Some((end, ends_after))) = (rest.split_first(), ends_rest.split_first_mut()) else {
        return i64::MIN;
    };
    *end = own.until.max(fill(before, ends_before)).max(fill(after, ends_after));
    *end
}

fn visit(windows: &[Window], latest: &[i64], at: i64, found: &mut Vec<u32>) {
    let middle = windows.len() / 2;
    let (Some((before, rest)), Some((ends_before, ends_rest))) =
        (windows.split_at_checked(middle), latest.split_at_checked(middle))
    else {
        return;
    };
    let (Some((own, after)), Some((end, ends_after))) = (rest.split_first(), ends_rest.split_first()) else {
        return;
    };
    if *end <= at {
        return;
    }
    visit(before, ends_before, at, found);
    if own.from <= at {
        if at < own.until {
            found.push(own.rule);
        }
        visit(after, ends_after, at, found);
    }
}

#[cfg(test)]
mod tests {
    use super::{TimeIndex, Window};

    #[test]
    fn a_time_finds_the_windows_it_lies_in() {
        for count in 0..40_i64 {
            let window = |n: i64| Window { from: n * 7 % 23, until: n * 7 % 23 + n * 5 % 11, rule: n as u32 };
            let all: Vec<Window> = (0..count).map(window).collect();
            let windows = TimeIndex::new(all.clone());
            for at in -2..40 {
                let mut found = windows.at(at);
                found.sort_unstable();
                let open = |window: &&Window| (window.from..window.until).contains(&at);
                assert_eq!(found, all.iter().filter(open).map(|window| window.rule).collect::<Vec<_>>());
                let (from, until) = windows.around(at);
                assert!(from <= at && at < until);
                for other in from.max(-2)..until.min(40) {
                    let mut same = windows.at(other);
                    same.sort_unstable();
                    assert_eq!(same, found, "{at} {other}");
                }
            }
        }
    }
}
