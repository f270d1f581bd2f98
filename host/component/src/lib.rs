//! The decision component of cedargate, as bytes.
//!
//! The component evaluates Cedar policies. It imports nothing: no clock, no files, no network, no randomness.
//! Its contract is the WIT package `cedargate:authz@0.1.0`. Proxies written in Rust use the crate `cedargate`,
//! which embeds it; this crate is for those who hand the bytes to a host of their own.
//!
//! ```
//! // Every component starts with the magic number of WebAssembly.
//! assert!(cedargate_component::COMPONENT.starts_with(b"\0asm"));
//! assert!(cedargate_component::DIGEST.starts_with("sha256:"));
//! ```
//!
//! A package of this crate carries the built component, so that its user needs no WebAssembly target. In the
//! workspace, the build script builds the guest. `CEDARGATE_COMPONENT=FILE` at build time puts a file in its
//! place.

#![no_std]

/// The component's bytes: a WebAssembly component that exports the world `plugin`.
pub const COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/cedargate.wasm"));

/// The SHA-256 of [`COMPONENT`] in hexadecimal, with `sha256:` before it.
pub const DIGEST: &str = env!("CEDARGATE_COMPONENT_DIGEST");
