//! Tells a person that something takes its time.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;

/// A start from the cache is over by then, and needs no word.
const PATIENCE: Duration = Duration::from_millis(500);

/// Does some work, and shows a spinner on a terminal where it takes long.
pub(crate) fn while_showing<T>(text: &'static str, work: impl FnOnce() -> T) -> T {
    if !io::stderr().is_terminal() {
        return work();
    }
    let (ended, ending) = mpsc::channel::<()>();
    let shown = thread::spawn(move || {
        if ending.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let spinner = ProgressBar::new_spinner().with_message(text);
            spinner.enable_steady_tick(Duration::from_millis(100));
            // Ends when the other side is dropped.
            let _ = ending.recv();
            spinner.finish_and_clear();
        }
    });
    let result = work();
    drop(ended);
    // A spinner that failed is no reason to fail.
    let _ = shown.join();
    result
}
