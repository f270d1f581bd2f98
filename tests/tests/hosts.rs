//! The component in Node and Python says the same as in wasmtime, byte for byte.

use cedargate_tests::corpus;
use cedargate_tests::plugin::Compiled;
use cedargate_tests::shapes::SHAPES;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Asks for the hosts: they install packages, which needs the network.
const ASKED: &str = "CEDARGATE_HOSTS";

/// The digest over all replies to the cases, as the other hosts compute it.
fn replies() -> String {
    let mut instance = Compiled::new().unwrap().instance().unwrap();
    let set = instance.loaded(&corpus::bundle(None)).unwrap();
    let mut digest = Sha256::new();
    for case in corpus::case_files().iter().flat_map(|file| corpus::cases(file)) {
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

fn holds(host: &str) {
    if std::env::var_os(ASKED).is_none() {
        println!("not run: `{ASKED}=1 cargo test -p cedargate-tests --test hosts` runs it, and installs what it needs");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("cedargate.wasm");
    fs::write(&component, cedargate_component::COMPONENT).unwrap();
    write_bundles(folder.path());
    let script = corpus::root().join("tests/hosts").join(host).join("run.sh");
    let output = Command::new(script).arg(&component).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" passed, 0 failed"), "{said}");
    let expected = format!("replies sha256:{}", replies());
    assert!(said.contains(&expected), "expected {expected}, came {said}");
}

#[test]
fn node_says_the_same() {
    holds("node");
}

#[test]
fn python_says_the_same() {
    holds("python");
}
