//! What connections take of the files that the process may have open.
//!
//! A process that has no descriptor left accepts nobody, whoever asks for its health neither. So connections of clients
//! take a share, and the other listeners have some aside that they give up for the next connection.

use std::fs::File;

/// Descriptors that no connection takes: of the store, the log, the threads, and of what is read while all goes on.
const OTHERS: u64 = 128;

/// Of the rest, a client's connection takes one, and needs another for the provider's.
const FOR_EACH_CLIENT: u64 = 2;

/// Connections that there are always places for, however little is left: a gateway that answers nobody helps nobody.
const CLIENTS_MIN: u64 = 8;

/// Descriptors that a listener has aside.
const ASIDE: usize = 4;

/// How many connections of clients there are descriptors for; `None` where nobody knows.
#[cfg(unix)]
pub(crate) fn client_connections_max() -> Option<u64> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    Some(share(limit))
}

/// How many connections of clients there are descriptors for; `None` where nobody knows.
#[cfg(not(unix))]
pub(crate) fn client_connections_max() -> Option<u64> {
    None
}

fn share(limit: u64) -> u64 {
    (limit.saturating_sub(OTHERS) / FOR_EACH_CLIENT).max(CLIENTS_MIN)
}

/// Some descriptors that are kept aside.
#[derive(Default)]
pub(crate) struct Aside {
    kept: Vec<File>,
}

impl Aside {
    /// Keeps as many aside as there should be, or as there are.
    pub(crate) fn fill(&mut self) {
        while self.kept.len() < ASIDE {
            // Anything that takes a descriptor does. Where this cannot be opened, there is nothing to keep.
            let Ok(file) = File::open("/dev/null") else { return };
            self.kept.push(file);
        }
    }

    /// Gives one up. Whether there was one.
    pub(crate) fn give(&mut self) -> bool {
        self.kept.pop().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_take_half_of_what_is_left() {
        assert_eq!(share(1_024), 448);
        assert_eq!(share(1 << 20), 524_224);
        assert_eq!(share(64), CLIENTS_MIN);
    }
}
