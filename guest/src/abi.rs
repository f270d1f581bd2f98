//! What this component says of itself.

use crate::limits::Limits;
use serde::Serialize;

/// The version of the contract, as in `wit/authz.wit`.
pub const CONTRACT: &str = "0.1.0";

/// The version of the Cedar language. A test compares it with what the `cedar-policy` crate says.
pub const CEDAR_LANGUAGE: &str = "4.6.0";

#[derive(Serialize)]
struct Abi {
    v: u8,
    contract: &'static str,
    plugin: &'static str,
    cedar_language: &'static str,
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
        limits: Limits::default(),
    };
    serde_json::to_string(&abi).unwrap_or_default()
}
