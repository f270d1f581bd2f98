//! How far a replay is, on a terminal.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::input::Input;

/// Bytes read so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter {
    bytes: Arc<AtomicU64>,
}

impl Counter {
    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// A bar on a terminal, and nothing elsewhere.
pub(crate) struct Progress {
    bar: ProgressBar,
    counter: Counter,
}

impl Progress {
    pub(crate) fn start(inputs: &[Input]) -> Self {
        let counter = Counter::default();
        if !io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), counter };
        }
        let total: Option<u64> = inputs.iter().map(Input::size).sum();
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), "{bar:32} {percent:>3} %  {bytes}/{total_bytes}  {msg}"),
            None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {msg}"),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, counter }
    }

    /// Where reading is counted.
    pub(crate) fn counter(&self) -> Counter {
        self.counter.clone()
    }

    /// Moves on.
    pub(crate) fn show(&self, records: u64) {
        if !self.bar.is_hidden() {
            self.bar.set_position(self.counter.bytes.load(Ordering::Relaxed));
            self.bar.set_message(format!("{records} records"));
        }
    }

    /// Prints while the bar is out of the way.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
