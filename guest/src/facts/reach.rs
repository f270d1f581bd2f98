//! What of a token lies beyond a principal: the entries of its lists that no entry of the principal's same list covers.
//!
//! Cedar cannot say "each of these lies in one of those" of two sets, so this is found here and handed to policies as
//! sets that should be empty. An absent list of the principal covers everything; one that is there does not cover an
//! absent list of the token, which is then [`EVERYTHING`].

use crate::contract::network::Network;
use crate::contract::profile::Budget;
use crate::contract::strict::Str;
use crate::facts::symbol::Symbol;
use crate::facts::value::World;

/// Stands in a set for a list that the token does not have.
pub const EVERYTHING: &str = "*";

/// The lists of a token, by what their entries name, in their order.
#[derive(Debug, Default)]
pub struct Reach {
    /// Models, names of models, providers and groups.
    pub models: Option<Vec<Symbol>>,
    /// Providers.
    pub providers: Option<Vec<Symbol>>,
    /// Networks.
    pub networks: Option<Vec<Network>>,
}

/// The budgets of a principal, which outlive the text that they were read from.
#[derive(Debug)]
pub struct OwnBudget {
    unit: String,
    window: String,
    limit: i64,
}

impl From<&Budget<'_>> for OwnBudget {
    fn from(budget: &Budget<'_>) -> Self {
        Self { unit: budget.unit.to_string(), window: budget.window.to_string(), limit: budget.limit }
    }
}

impl OwnBudget {
    fn counts_as(&self, other: &Budget<'_>) -> bool {
        self.unit == *other.unit && self.window == *other.window
    }

    fn name(&self) -> String {
        format!("{EVERYTHING}{}/{}", self.unit, self.window)
    }
}

/// The entities of a list that lie in none of the principal's.
pub fn entities(
    texts: Option<&[Str<'_>]>,
    named: Option<&[Symbol]>,
    own: Option<&[Symbol]>,
    world: World<'_>,
) -> Vec<String> {
    outside(texts, named, own, |own, entry| world.is_in(*entry, *own))
}

/// The networks of a list that lie in none of the principal's.
pub fn networks(texts: Option<&[Str<'_>]>, named: Option<&[Network]>, own: Option<&[Network]>) -> Vec<String> {
    outside(texts, named, own, |own, entry| own.holds(*entry))
}

fn outside<T>(
    texts: Option<&[Str<'_>]>,
    named: Option<&[T]>,
    own: Option<&[T]>,
    covers: impl Fn(&T, &T) -> bool,
) -> Vec<String> {
    let Some(own) = own else { return Vec::new() };
    let (Some(texts), Some(named)) = (texts, named) else { return vec![EVERYTHING.to_owned()] };
    let entries = texts.iter().zip(named);
    let beyond = entries.filter(|(_, entry)| !own.iter().any(|own| covers(own, entry)));
    beyond.map(|(text, _)| text.to_string()).collect()
}

/// The budgets that allow more than the principal's. All of a token's budgets hold at once, unlike the entries of
/// its other lists, so one of the principal's that nothing of the token keeps within is beyond it, too.
#[must_use]
pub fn budgets(budgets: Option<&[Budget<'_>]>, own: Option<&[OwnBudget]>) -> Vec<String> {
    let Some(own) = own else { return Vec::new() };
    let Some(budgets) = budgets else { return vec![EVERYTHING.to_owned()] };
    let covered = |budget: &&Budget<'_>| own.iter().any(|own| own.counts_as(budget) && own.limit >= budget.limit);
    let beyond = budgets.iter().filter(|budget| !covered(budget));
    let beyond = beyond.map(|Budget { unit, window, limit }| format!("{limit}{}/{}", &**unit, &**window));
    let unbounded = own.iter().filter(|own| !budgets.iter().any(|budget| own.counts_as(budget)));
    beyond.chain(unbounded.map(OwnBudget::name)).collect()
}

#[cfg(test)]
mod tests {
    use super::{OwnBudget, budgets};
    use crate::contract::network::Network;
    use crate::contract::profile::Budget;

    fn read(text: &str) -> Vec<Budget<'_>> {
        serde_json::from_str(text).unwrap()
    }

    fn beyond(own: &str, target: Option<&str>) -> Vec<String> {
        let own: Vec<OwnBudget> = read(own).iter().map(OwnBudget::from).collect();
        let target = target.map(read);
        budgets(target.as_deref(), Some(&own))
    }

    #[test]
    fn a_budget_covers_the_same_unit_and_window_up_to_its_limit() {
        let own = r#"[{"unit":"usd","window":"month","limit":100}]"#;
        assert_eq!(beyond(own, Some(own)), [""; 0]);
        for (target, outside) in [
            (r#"[{"unit":"usd","window":"month","limit":99}]"#, &[][..]),
            (r#"[{"unit":"usd","window":"month","limit":101}]"#, &["101usd/month"]),
            (r#"[{"unit":"usd","window":"day","limit":1}]"#, &["1usd/day", "*usd/month"]),
            (r#"[{"unit":"tokens","window":"month","limit":1}]"#, &["1tokens/month", "*usd/month"]),
            ("[]", &["*usd/month"]),
        ] {
            assert_eq!(beyond(own, Some(target)), outside, "{target}");
        }
        assert_eq!(beyond(own, None), ["*"]);
        assert_eq!(budgets(None, None), [""; 0]);
    }

    #[test]
    fn a_network_covers_those_within_it() {
        let network = |text| Network::read(text).unwrap();
        let holds = |outer, inner| network(outer).holds(network(inner));
        assert!(holds("10.0.0.0/8", "10.1.0.0/16"));
        assert!(holds("10.0.0.0/8", "10.0.0.0/8"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3/128"));
        assert!(holds("::/0", "2001:db8::/32"));
        for (outer, inner) in [("10.1.0.0/16", "10.0.0.0/8"), ("10.0.0.0/8", "11.0.0.0/16"), ("::/0", "10.0.0.0/8")] {
            assert!(!holds(outer, inner), "{outer} {inner}");
        }
    }
}
