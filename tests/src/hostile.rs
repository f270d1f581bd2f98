//! Makes components of the core modules in `tests/hostile/`.

use anyhow::{Context as _, Result};
use std::fs;
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

use crate::corpus::root;

/// The line of the frame that the hostile function takes the place of.
const PLACE: &str = "  ;; ..........\n";

/// What a component does where it is asked to, by the name of its file.
pub const NAMES: [&str; 9] = [
    "contradiction",
    "deep-recursion",
    "endless-loop",
    "huge-reply",
    "memory-growth",
    "no-such-case",
    "not-utf-8",
    "out-of-bounds",
    "trap",
];

/// The component of a hostile file.
pub fn component(name: &str) -> Result<Vec<u8>> {
    assemble(&frame(name)?, &contract()?)
}

/// The component that exports the interface in a version that nobody knows.
pub fn of_another_version() -> Result<Vec<u8>> {
    let rename = |text: String| text.replace("authz@0.1.0", "authz@0.2.0");
    assemble(&rename(frame("trap")?), &rename(contract()?))
}

/// The component that exports the right interface and says that it keeps another version.
pub fn that_claims_another_version() -> Result<Vec<u8>> {
    let claim = |version: &str| format!(r#"\"contract\":\"{version}\""#);
    assemble(&frame("trap")?.replace(&claim("0.1.0"), &claim("0.2.0")), &contract()?)
}

/// The component that lacks a function of the contract.
pub fn without_a_function() -> Result<Vec<u8>> {
    let contract = contract()?.replace("decide-text: func", "decide-otherwise: func");
    assemble(&frame("trap")?.replace("principal.decide-text", "principal.decide-otherwise"), &contract)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

fn contract() -> Result<String> {
    read("wit/authz.wit")
}

fn frame(name: &str) -> Result<String> {
    let frame = read("tests/hostile/frame.wat")?;
    let misbehave = read(&format!("tests/hostile/{name}.wat"))?;
    anyhow::ensure!(frame.contains(PLACE), "the frame has no place for `{name}`");
    Ok(frame.replace(PLACE, &misbehave))
}

/// Makes a component of a core module and the contract it keeps.
fn assemble(core: &str, contract: &str) -> Result<Vec<u8>> {
    let mut module = wat::parse_str(core)?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str("authz.wit", contract)?;
    let world = resolve.select_world(&[package], Some("plugin"))?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().validate(true).module(&module)?.encode()
}
