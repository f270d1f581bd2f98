//! From an HTTP request to the facts of a decision, and from a denial to an HTTP response.
