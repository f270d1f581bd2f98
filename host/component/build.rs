//! Builds the guest for `wasm32-unknown-unknown` and makes a component of it.
//!
//! Where the bytes come from, the first that applies: the file that `CEDARGATE_COMPONENT` names; the packaged
//! `component/cedargate.wasm` where this crate is a package; the workspace's `guest/`. The build never calls
//! `rustup`: where the target is missing, it fails with the one command to run.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use wit_component::{ComponentEncoder, DecodedWasm};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const TARGET: &str = "wasm32-unknown-unknown";

/// The override: a file that holds the component.
const OVERRIDE: &str = "CEDARGATE_COMPONENT";

/// The stack of the guest in its own linear memory: the depth limit of policies was measured with it.
const GUEST_STACK_BYTES: u32 = 4 << 20;

/// Between two flags of `CARGO_ENCODED_RUSTFLAGS`.
const FLAG_SEPARATOR: &str = "\x1f";

fn main() {
    if let Err(error) = run() {
        // Cargo shows standard error of a build script that failed; a panic would bury it in a backtrace.
        eprintln!("cannot build the component: {error}");
        std::process::exit(1);
    }
}

fn run() -> Result<()> {
    println!("cargo::rerun-if-env-changed={OVERRIDE}");
    println!("cargo::rerun-if-changed=build.rs");
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let component = match env::var_os(OVERRIDE) {
        Some(file) if !file.is_empty() => read(Path::new(&file))?,
        _ => match Workspace::around(&manifest)? {
            Some(workspace) => encode(&workspace.build_guest(&out)?)?,
            None => read(&manifest.join("component/cedargate.wasm"))?,
        },
    };
    refuse_imports(&component)?;
    fs::write(out.join("cedargate.wasm"), &component)?;
    let digest: String = Sha256::digest(&component).iter().map(|byte| format!("{byte:02x}")).collect();
    println!("cargo::rustc-env=CEDARGATE_COMPONENT_DIGEST=sha256:{digest}");
    Ok(())
}

fn variable(name: &str) -> Result<OsString> {
    env::var_os(name).ok_or_else(|| format!("`{name}` is not set: run this through cargo").into())
}

fn read(file: &Path) -> Result<Vec<u8>> {
    println!("cargo::rerun-if-changed={}", file.display());
    fs::read(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()).into())
}

/// The workspace that this crate is developed in.
struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// `None` where this crate was unpacked from a package, which holds the built component instead.
    fn around(manifest: &Path) -> Result<Option<Self>> {
        // Cargo writes this file into every package and never into a source tree.
        let packaged = manifest.join("Cargo.toml.orig").exists();
        let root = manifest.join("../..");
        if packaged || !root.join("guest/Cargo.toml").exists() {
            return Ok(None);
        }
        Ok(Some(Self { root: root.canonicalize()? }))
    }

    /// Builds the guest's core module and returns its bytes.
    fn build_guest(&self, out: &Path) -> Result<Vec<u8>> {
        for source in ["guest", "wit", "Cargo.toml", "Cargo.lock"] {
            println!("cargo::rerun-if-changed={}", self.root.join(source).display());
        }
        require_target()?;
        // Cargo locks a target folder while it builds: in the outer one, the nested build would wait for ever.
        let outer_target = target_folder(out)?;
        let target = outer_target.join("guest");
        let mut cargo = Command::new(variable("CARGO")?);
        clean_environment(&mut cargo);
        cargo
            .current_dir(&self.root)
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags(&outer_target)?)
            // Empty beats a wrapper from a configuration file.
            .env("RUSTC_WRAPPER", "")
            .env("RUSTC_WORKSPACE_WRAPPER", "")
            .args(["rustc", "--lib", "--crate-type", "cdylib", "--profile", "component"])
            .args(["--target", TARGET])
            .arg("--manifest-path")
            .arg(self.root.join("guest/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target);
        if self.root.join("Cargo.lock").exists() {
            cargo.arg("--locked");
        }
        let output = cargo.output().map_err(|error| format!("cannot run cargo: {error}"))?;
        if !output.status.success() {
            return Err(format!("the guest does not build\n{}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let module = target.join(TARGET).join("component/cedargate_guest.wasm");
        fs::read(&module).map_err(|error| format!("cannot read `{}`: {error}", module.display()).into())
    }

    /// The guest's flags. No path of this machine may reach the component: where two prefixes match, the last
    /// one wins, so the outer folder comes first.
    fn flags(&self, outer_target: &Path) -> Result<OsString> {
        let mut flags = OsString::from(format!("-Clink-arg=-zstack-size={GUEST_STACK_BYTES}"));
        // A copy by the instruction for it leaves compiled code for the runtime each time; most are of some words.
        flags.push(format!("{FLAG_SEPARATOR}-Ctarget-feature=-bulk-memory"));
        let cargo_home = cargo_home()?;
        let prefixes: [(&Path, &str); 3] =
            [(&self.root, "/cedargate"), (outer_target, "/target"), (&cargo_home, "/cargo")];
        for (folder, name) in prefixes {
            flags.push(format!("{FLAG_SEPARATOR}--remap-path-prefix="));
            flags.push(folder);
            flags.push(format!("={name}"));
        }
        Ok(flags)
    }
}

fn cargo_home() -> Result<PathBuf> {
    let home = match env::var_os("CARGO_HOME") {
        Some(home) if !home.is_empty() => PathBuf::from(home),
        _ => env::home_dir().ok_or("no home folder: set `CARGO_HOME`")?.join(".cargo"),
    };
    Ok(home.canonicalize().unwrap_or(home))
}

/// The outer target folder, which cargo tells nobody: the nearest one above `OUT_DIR` that bears its mark.
fn target_folder(out: &Path) -> Result<PathBuf> {
    out.ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists() || folder.join(".rustc_info.json").exists())
        // OUT_DIR is <target>/<profile>/build/<package>/out.
        .or_else(|| out.ancestors().nth(4))
        .map(Path::to_path_buf)
        .ok_or_else(|| format!("`{}` does not lie in a target folder", out.display()).into())
}

/// Whatever changes how code is built is for the host, not for the guest: the component's bytes are the same
/// whoever builds it.
fn clean_environment(command: &mut Command) {
    // Where crates come from does not change what is built: the lock file holds their digests.
    const KEPT: [&str; 5] = ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_"];
    const CLEANED: [&str; 6] = ["CARGO", "__CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS", "RUST_TARGET"];
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let cleaned = CLEANED.iter().any(|prefix| text.starts_with(prefix));
        if cleaned && !KEPT.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}

/// Fails with the command to run where the compiler has no standard library for the target.
fn require_target() -> Result<()> {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| format!("cannot run rustc: {error}"))?;
    let folder = String::from_utf8_lossy(&output.stdout);
    let installed = fs::read_dir(folder.trim()).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("libcore-")))
    });
    if installed {
        return Ok(());
    }
    Err(format!("the target `{TARGET}` is not installed. Run:\n\n    rustup target add {TARGET}\n").into())
}

/// Makes a component of a core module that carries its WIT world.
fn encode(module: &[u8]) -> Result<Vec<u8>> {
    Ok(ComponentEncoder::default().validate(true).module(module)?.encode()?)
}

/// A component with an import is one that could see a clock, a file or the network.
fn refuse_imports(component: &[u8]) -> Result<()> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        return Err("the file holds a WIT package, not a component".into());
    };
    let imports = resolve.worlds.get(world).map_or(0, |world| world.imports.len());
    if imports > 0 {
        return Err(format!("the component has {imports} imports and must have none").into());
    }
    Ok(())
}
