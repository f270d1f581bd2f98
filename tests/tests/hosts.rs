//! The component in Node and Python says the same as in wasmtime, byte for byte.

use cedargate_tests::corpus;
use cedargate_tests::plugin::Compiled;
use cedargate_tests::released;
use cedargate_tests::shapes::SHAPES;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

/// Asks for the hosts: they install packages, which needs the network.
const ASKED: &str = "CEDARGATE_HOSTS";

/// Held by whoever runs a host, since a host is installed by its first run.
static INSTALLS: Mutex<()> = Mutex::new(());

/// The digest over all replies to the cases of a folder of policies, as the other hosts compute it.
fn replies(policies: &Path) -> String {
    let mut instance = Compiled::new().unwrap().instance().unwrap();
    let set = instance.loaded(&corpus::bundle_of(&[policies.to_owned()])).unwrap();
    let mut digest = Sha256::new();
    for case in corpus::case_files_in(policies).iter().flat_map(|file| corpus::cases(file)) {
        let principal = instance.prepare(set, case.principal.get()).unwrap().unwrap();
        let text = instance.decide_text(principal, corpus::millis(&case.at), case.request.get(), "").unwrap();
        instance.drop(principal).unwrap();
        digest.update(text + "\n");
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The deepest policy of every shape, and one deeper.
fn write_bundles(folder: &Path) {
    for kind in ["accepted", "refused"] {
        fs::create_dir_all(folder.join(kind)).unwrap();
    }
    for shape in SHAPES {
        let deepest = shape.deepest();
        let write = |kind: &str, depth: usize| {
            fs::write(folder.join(kind).join(format!("{}-{depth}.json", shape.name)), shape.bundle(depth)).unwrap();
        };
        write("accepted", deepest);
        write("refused", deepest + 1);
        write("refused", (deepest + 1).max(10_000));
    }
}

fn asked() -> bool {
    let asked = std::env::var_os(ASKED).is_some();
    if !asked {
        println!("not run: `{ASKED}=1 cargo test -p cedargate-tests --test hosts` runs it, and installs what it needs");
    }
    asked
}

/// Runs a host's script, which stands in a checkout of its own, and compares what it says about the policies there.
fn holds(checkout: &Path, host: &str, bundles: Option<&Path>) {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("cedargate.wasm");
    fs::write(&component, cedargate_component::COMPONENT).unwrap();
    let _installs_alone = INSTALLS.lock().unwrap_or_else(PoisonError::into_inner);
    let script = checkout.join("tests/hosts").join(host).join("run.sh");
    let output = Command::new(script).arg(&component).args(bundles).env("CARGO_TARGET_DIR", target()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" passed, 0 failed"), "{said}");
    let expected = format!("replies sha256:{}", replies(&checkout.join("policies")));
    assert!(said.contains(&expected), "expected {expected}, came {said}");
}

/// Where hosts install what they need.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| corpus::root().join("target"), PathBuf::from)
}

fn says_the_same(host: &str) {
    if asked() {
        let folder = tempfile::tempdir().unwrap();
        write_bundles(folder.path());
        holds(&corpus::root(), host, Some(folder.path()));
    }
}

/// A checkout with the hosts and the default bundle of version 0.1.0, whose cases about tokens expect no decision.
fn released() -> TempDir {
    let checkout = tempfile::tempdir().unwrap();
    let copy = |from: &Path, to: &Path| {
        fs::create_dir_all(to).unwrap();
        for file in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    };
    for host in ["node", "python"] {
        let within = Path::new("tests/hosts").join(host);
        copy(&corpus::root().join(&within), &checkout.path().join(&within));
    }
    let policies = checkout.path().join("policies");
    copy(&corpus::released(), &policies);
    for file in corpus::case_files_in(&policies) {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().zip(corpus::cases(&file));
        let cases = lines.map(|(line, case)| format!("{}\n", released::expecting(line, &case)));
        fs::write(&file, cases.collect::<String>()).unwrap();
    }
    checkout
}

fn says_the_same_of_a_released_bundle(host: &str) {
    if asked() {
        holds(released().path(), host, None);
    }
}

#[test]
fn node_says_the_same() {
    says_the_same("node");
}

#[test]
fn python_says_the_same() {
    says_the_same("python");
}

#[test]
fn node_runs_a_released_bundle() {
    says_the_same_of_a_released_bundle("node");
}

#[test]
fn python_runs_a_released_bundle() {
    says_the_same_of_a_released_bundle("python");
}
