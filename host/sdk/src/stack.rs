//! Enough stack under every entry.
//!
//! The code of the component uses the stack of the thread that calls it, up to a bound. On a thread with less
//! than that bound left, an overflow is not a trap: the process aborts. So each entry measures what is left, and
//! where that is too little it continues on a stack of its own.

/// What must be left before the component is entered: its bound, and as much again for the host's side.
const NEEDED_BYTES: usize = 2 * crate::engine::WASM_STACK_BYTES;

/// The stack of its own, where the thread's does not suffice. Its pages are used only when touched.
const OWN_BYTES: usize = 2 * NEEDED_BYTES;

/// Runs `call` where it has enough stack: here if that much is left, which is asked of a cached bound, else on a
/// stack that is mapped for this call.
pub(crate) fn with_enough<R>(call: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(NEEDED_BYTES, OWN_BYTES, call)
}
