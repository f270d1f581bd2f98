//! A number for each thread, by which threads keep out of each other's way.

use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static NUMBER: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

/// The number of this thread: one that no other has had.
pub(crate) fn thread_number() -> usize {
    NUMBER.with(|number| *number)
}
