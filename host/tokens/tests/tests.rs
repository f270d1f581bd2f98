//! Tokens from their making to their end, and what may go wrong with their store.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, clippy::panic, reason = "a test")]

/// A store in a folder of its own, and a gateway's view of it.
mod stage;

/// The log of changes, and what tampers with it.
mod audit;
/// What every store keeps of budgets.
mod budgets;
/// Copies of the file, with its log and without.
mod copies;
/// A store that cannot be read or written.
mod faults;
/// Budgets as processes spend them.
mod ledger;
/// What is told to whoever asks for what cannot be.
mod mistakes;
/// Changes that are thought through before they are made.
mod plans;
/// Several processes, and one that is killed.
mod processes;
/// Events, counts, times of use, budgets.
mod records;
/// An older store, or another one, in the place of the one that was there.
mod replaced;
/// Two secrets, three at most, and a lost answer.
mod rotation;
/// What is known of a secret, and what is not.
mod secrets;
/// Made, used, changed, ended.
mod tokens;
