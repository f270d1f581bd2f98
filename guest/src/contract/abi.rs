//! What this component says of itself.

use crate::contract::limits::Limits;
use serde::Serialize;

/// The version of the contract, as in `wit/authz.wit`.
pub const CONTRACT: &str = "0.1.0";

/// Which fields its texts may have: raised whenever one that it reads gains a field. 2: `current` of a request, and
/// `budgets` and `attributes` of tokens that are asked about.
pub const TEXTS: u32 = 2;

/// The version of the Cedar language. A test compares it with what the `cedar-policy` crate says.
pub const CEDAR_LANGUAGE: &str = "4.6.0";

#[derive(Serialize)]
struct Abi {
    v: u8,
    contract: &'static str,
    plugin: &'static str,
    cedar_language: &'static str,
    texts: u32,
    limits: Limits,
}

/// The text of `abi`.
#[must_use]
pub fn abi() -> String {
    let abi = Abi {
        v: 1,
        contract: CONTRACT,
        plugin: env!("CARGO_PKG_VERSION"),
        cedar_language: CEDAR_LANGUAGE,
        texts: TEXTS,
        limits: Limits::default(),
    };
    serde_json::to_string(&abi).unwrap_or_default()
}
