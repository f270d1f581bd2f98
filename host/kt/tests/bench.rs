//! `kt policy bench`: what it prints, and what its exit code says. Not one time is looked at.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// As little as can be measured.
const SHORT: [&str; 4] = ["--rounds", "1", "--calls", "16"];

const KINDS: [&str; 9] =
    ["native", "cold", "warm", "warm_call", "warm_counters", "first", "many_cold", "many_warm", "many_warm_call"];

fn bench(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kt"));
    command.args(["policy", "bench"]).args(arguments).current_dir(folder).env("NO_COLOR", "1");
    command.output().unwrap()
}

fn short(folder: &Path, arguments: &[&str]) -> Output {
    bench(folder, &[&SHORT, arguments].concat())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Asserts that a run ended so, and shows what it said where it did not.
fn ended(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

fn check_row(row: &Value, set: &str) {
    assert_eq!(row["set"], set);
    assert_eq!(row["seed"], 1);
    for kind in KINDS {
        let (median, p99) = (&row[format!("{kind}_ns")], &row[format!("{kind}_p99_ns")]);
        assert!(median.as_u64().is_some_and(|ns| ns > 0), "{kind}: {row}");
        assert!(p99.as_u64() >= median.as_u64(), "{kind}: {row}");
        if kind != "native" {
            assert!(row[format!("{kind}_ratio")].as_f64().is_some_and(|ratio| ratio >= 0.0), "{kind}: {row}");
        }
    }
    assert!(row["decisions"].as_u64().is_some_and(|decisions| decisions > 0), "{row}");
    assert!(row["full_scans"].as_u64() <= row["decisions"].as_u64(), "{row}");
    assert!(row["instance_ns"].as_u64().is_some_and(|ns| ns > 0), "{row}");
    if cfg!(target_os = "linux") {
        assert!(row["rss_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{row}");
        assert!(row["remembered_bytes"].is_u64(), "{row}");
    }
}

#[test]
fn measures_are_printed_saved_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let first = short(folder.path(), &["--scale", "10", "--format", "json", "--save", "before.json"]);
    ended(&first, 0);
    // Nothing but data, and no progress where nobody looks.
    let of_compiling = |line: &&str| line.starts_with("compiling the comp") || line.starts_with("compiled the comp");
    assert_eq!(text(&first.stderr).lines().find(|line| !of_compiling(line)), None);
    let rows: Vec<Value> = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(rows.len(), 2);
    check_row(&rows[0], "default");
    check_row(&rows[1], "generated");
    assert_eq!(rows[1]["policies"], 10);
    for row in &rows {
        assert!(row["threads_speedup"].as_f64().is_some_and(|speedup| speedup > 0.0), "{row}");
    }
    let saved: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(folder.path().join("before.json")).unwrap()).unwrap();
    assert_eq!(saved, rows);

    // Everything was faster once, and one set is new: a regression, in words.
    let mut doctored = saved[1].clone();
    doctored["cold_ns"] = json!(1);
    fs::write(folder.path().join("doctored.json"), json!([doctored]).to_string()).unwrap();
    let records = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/records/day.jsonl");
    let compare = ["--scale", "10", "--compare", "doctored.json", "--threshold", "100000"];
    let slower = short(folder.path(), &[&compare[..], &["--requests", records.to_str().unwrap()]].concat());
    ended(&slower, 1);
    assert!(text(&slower.stderr).contains("regression: generated (10): `cold_ns`"), "{}", text(&slower.stderr));
    assert!(text(&slower.stderr).contains("warning: default ("), "{}", text(&slower.stderr));
    assert!(text(&slower.stdout).contains("plain Cedar"), "{}", text(&slower.stdout));

    // As before, within a hundred thousand percent.
    ended(&short(folder.path(), &["--scale", "10", "--compare", "before.json", "--threshold", "100000"]), 0);
}

#[test]
fn what_cannot_be_used_is_said_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.jsonl"), "").unwrap();
    fs::write(folder.path().join("bad.jsonl"), "{}\n").unwrap();
    fs::write(folder.path().join("list.json"), "[{\"policies\":10}]").unwrap();
    for (arguments, said) in [
        (&["--scale", "0"][..], "--scale"),
        (&["--scale", "20001"], "--scale"),
        (&["--threshold", "5"], "--compare"),
        (&["--compare", "missing.json"], "missing.json"),
        (&["--compare", "bad.jsonl"], "bad.jsonl"),
        (&["--compare", "list.json"], "native_ns"),
        (&["--save", "missing/after.json"], "missing"),
        (&["--requests", "missing.jsonl"], "missing.jsonl"),
        (&["--requests", "empty.jsonl"], "empty.jsonl"),
        (&["--requests", "bad.jsonl"], "line 1"),
        (&["--policies", "missing"], "missing"),
    ] {
        let output = bench(folder.path(), arguments);
        ended(&output, 2);
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        assert!(text(&output.stderr).contains(said), "{arguments:?}: {}", text(&output.stderr));
    }
}
