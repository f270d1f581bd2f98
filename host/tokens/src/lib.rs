//! API tokens: their secrets, their life cycle, and the store that keeps them.
