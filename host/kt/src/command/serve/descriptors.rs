//! How many files the gateway may have open: each connection is one.

/// Lets the process open as many files as the system allows it. What it starts with is meant for programs that would
/// not survive more.
#[cfg(unix)]
pub(super) fn raise() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(cause) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%cause, ?current, "the process may not open more files than at its start");
    }
}

/// Nothing is known of a limit here.
#[cfg(not(unix))]
pub(super) fn raise() {}
