//! Why there is no decision.

use std::fmt;

/// Why no decision could be made: by the type of the cause, never by its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// No instance can be made or entered: in a forked process, after instantiation failed, while threads cannot
    /// be made.
    Unavailable,
    /// No instance became free in time, or the thread waited too long for a processor: the machine has more to do than
    /// it can.
    Busy,
    /// The component computed for longer than the deadline.
    Timeout,
    /// The component asked for more memory than its limit.
    Memory,
    /// The component's stack overflowed.
    Stack,
    /// The reply was larger than its limit, or cannot be read.
    Reply,
    /// The component trapped for any other cause.
    Trap,
}

impl Fault {
    /// All faults, in the order of their numbers.
    pub(crate) const ALL: [Self; 7] =
        [Self::Unavailable, Self::Busy, Self::Timeout, Self::Memory, Self::Stack, Self::Reply, Self::Trap];

    /// The code of the 503 that this fault becomes.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unavailable => "policy_unavailable",
            Self::Busy => "policy_busy",
            Self::Timeout => "policy_timeout",
            Self::Memory => "policy_memory",
            Self::Stack => "policy_stack",
            Self::Reply => "policy_reply",
            Self::Trap => "policy_trap",
        }
    }

    /// Whether the component did it, so that it counts as a trap.
    pub(crate) const fn is_trap(self) -> bool {
        !matches!(self, Self::Unavailable | Self::Busy)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "the component cannot be entered",
            Self::Busy => "no instance or no processor was free in time: the machine is overloaded",
            Self::Timeout => "the component computed for longer than the deadline",
            Self::Memory => "the component reached its limit of memory",
            Self::Stack => "the component's stack overflowed",
            Self::Reply => "the reply is larger than its limit, or cannot be read",
            Self::Trap => "the component trapped",
        })
    }
}
