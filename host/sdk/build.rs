//! Lists the default policies, so that they are part of the crate wherever it is built.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

#[expect(dead_code, reason = "the crate uses all of it, the build script some")]
mod layout {
    include!("src/layout.rs");
}

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("run this through cargo")?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("run this through cargo")?);
    let root = manifest.join("policies");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/layout.rs");
    let mut files = Vec::new();
    list(&root, "", &mut files)?;
    files.sort();
    let mut text =
        String::from("/// The files of the default set, sorted by name.\nstatic DEFAULT_SET: &[(&str, &str)] = &[\n");
    for (name, path) in &files {
        writeln!(text, "    ({name:?}, include_str!({path:?})),")?;
    }
    text.push_str("];\n");
    fs::write(out.join("default_set.rs"), text)?;
    Ok(())
}

fn list(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder).map_err(|error| format!("cannot read `{}`: {error}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("a policy's name is not UTF-8")?;
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            list(&path, &format!("{name}/"), files)?;
        } else if layout::kind(&name).is_some() {
            files.push((name, path));
        }
    }
    Ok(())
}
