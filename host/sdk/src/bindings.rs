//! The generated side of the contract. Only `instance.rs` and `convert.rs` look in here.

wasmtime::component::bindgen!({ path: "wit", world: "plugin" });
