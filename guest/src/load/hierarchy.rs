//! How long chains of parents are, found before Cedar follows them: it does so by recursion.

use std::collections::BTreeMap;

/// The longest chain of parents among entities, action groups and entity types.
pub const HIERARCHY_DEPTH_MAX: usize = 64;

/// Symbols and the names of their parents.
#[derive(Debug, Default)]
pub struct Parents(BTreeMap<String, Vec<String>>);

impl Parents {
    /// Adds the parents of a name.
    pub fn add(&mut self, name: String, parents: impl IntoIterator<Item = String>) {
        self.0.entry(name).or_default().extend(parents);
    }

    /// The parents of Cedar's JSON entities. What is no entity is left to Cedar's reader.
    #[must_use]
    pub fn of_entities(json: &str) -> Self {
        let listed: Vec<serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
        let mut out = Self::default();
        for entity in &listed {
            let parents = entity.get("parents").and_then(serde_json::Value::as_array);
            let parents = parents.into_iter().flatten().filter_map(name);
            if let Some(own) = entity.get("uid").and_then(name) {
                out.add(own, parents);
            }
        }
        out
    }

    /// A name at the foot of a chain that is too long. A cycle counts as one: Cedar refuses it either way.
    #[must_use]
    pub fn too_deep(&self) -> Option<&str> {
        let mut height: BTreeMap<&str, usize> = BTreeMap::new();
        for start in self.0.keys() {
            let mut stack = vec![(start.as_str(), false)];
            while let Some((at, ready)) = stack.pop() {
                if !ready && height.contains_key(at) {
                    continue;
                }
                let parents = self.0.get(at).map(Vec::as_slice).unwrap_or_default();
                if ready {
                    let above = parents.iter().map(|parent| height.get(parent.as_str()).copied().unwrap_or(1)).max();
                    let own = 1 + above.unwrap_or(0);
                    if own > HIERARCHY_DEPTH_MAX {
                        return Some(at);
                    }
                    height.insert(at, own);
                } else {
                    height.insert(at, 1);
                    stack.push((at, true));
                    stack.extend(parents.iter().map(|parent| (parent.as_str(), false)));
                }
            }
        }
        None
    }
}

/// A type and an id as one name, in either of Cedar's forms.
fn name(uid: &serde_json::Value) -> Option<String> {
    let uid = uid.get("__entity").unwrap_or(uid);
    let part = |field: &str| uid.get(field).and_then(serde_json::Value::as_str);
    Some(format!("{}\0{}", part("type")?, part("id")?))
}

#[cfg(test)]
mod tests {
    use super::{HIERARCHY_DEPTH_MAX, Parents};

    fn chain(n: usize) -> Parents {
        let mut parents = Parents::default();
        for at in 0..n {
            parents.add(format!("e{at}"), (at > 0).then(|| format!("e{}", at - 1)));
        }
        parents
    }

    #[test]
    fn the_longest_chain_is_the_limit() {
        assert_eq!(chain(HIERARCHY_DEPTH_MAX).too_deep(), None);
        assert!(chain(HIERARCHY_DEPTH_MAX + 1).too_deep().is_some());
        assert!(chain(100_000).too_deep().is_some());
    }

    #[test]
    fn a_cycle_ends() {
        let mut parents = Parents::default();
        parents.add("a".into(), ["b".into()]);
        parents.add("b".into(), ["a".into()]);
        assert_eq!(parents.too_deep(), None);
    }
}
