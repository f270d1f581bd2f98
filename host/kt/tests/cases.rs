//! The cases beside the policies, through the command line.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Replays the files, and returns the summary.
fn replay(policies: Option<&Path>, cases: &[PathBuf]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kt"));
    command.args(["replay", "--format", "json"]).args(cases);
    if let Some(folder) = policies {
        command.arg("--policies").arg(folder);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap()
}

#[test]
fn the_cases_beside_the_policies_hold() {
    let is_cases = |path: &PathBuf| path.to_string_lossy().ends_with(".cases.jsonl");
    let cases: Vec<_> = files(&root().join("policies")).into_iter().filter(is_cases).collect();
    let summary = replay(None, &cases);
    let lines: usize = cases.iter().map(|file| fs::read_to_string(file).unwrap().lines().count()).sum();
    assert_eq!(summary["matched"], lines, "{summary}");
}

#[test]
fn the_cases_of_overlaid_bundles_hold() {
    for overlay in files(&root().join("tests/bundles")) {
        let bundle = tempfile::tempdir().unwrap();
        for file in files(&root().join("policies")).into_iter().chain(files(&overlay)) {
            if file.file_name().unwrap() != "policies.lock" {
                fs::copy(&file, bundle.path().join(file.file_name().unwrap())).unwrap();
            }
        }
        let summary = replay(Some(bundle.path()), &[overlay.join("cases.jsonl")]);
        assert!(summary["matched"].as_u64() > Some(0), "{summary}");
    }
}
