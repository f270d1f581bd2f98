//! Which token holds which name, as it follows from the log.

use std::collections::{HashMap, HashSet};

use cedargate::model::Timestamp;

use crate::audit::AuditEntry;

/// The holders of names, by the rules by which a store gives names.
#[derive(Debug, Default)]
pub(super) struct Names {
    holders: HashMap<String, (String, Option<Timestamp>)>,
    /// Names that somebody took or lost while the tokens were read.
    unsettled: HashSet<String>,
}

impl Names {
    /// A change of a token, which expires then, or is revoked.
    pub(super) fn step(&mut self, entry: &AuditEntry, expires_at: Option<Timestamp>, is_revoked: bool, settled: i64) {
        let name = &entry.token_name;
        if entry.number > settled {
            self.unsettled.insert(name.clone());
            return;
        }
        let held_by_another = self.holders.get(name).is_some_and(|(holder, expires_at)| {
            *holder != entry.token_id && expires_at.is_none_or(|expires_at| expires_at > entry.at)
        });
        if held_by_another {
            return;
        }
        if is_revoked {
            self.holders.remove(name);
        } else {
            self.holders.insert(name.clone(), (entry.token_id.clone(), expires_at));
        }
    }

    /// Whether a token holds its name; nothing where that was changing.
    pub(super) fn holds(&self, name: &str, id: &str) -> Option<bool> {
        let is_it = || self.holders.get(name).is_some_and(|(holder, _)| holder == id);
        (!self.unsettled.contains(name)).then(is_it)
    }
}
