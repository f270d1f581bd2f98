//! Whole sessions about tokens: what was typed, the exit code, stdout and stderr, as a person sees them.
//!
//! `INSTA_UPDATE=always cargo test -p cedargate-kt --test tokens` writes the snapshots anew.

#![expect(clippy::unwrap_used, clippy::string_slice, reason = "a test")]

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use cedargate_tokens::{Event, Recorder, RecorderOptions, Shadow, SqliteOptions, SqliteStore, Store, Verdict};
use regex::Regex;
use tempfile::TempDir;

/// A folder with a store, and somebody who types.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn store(&self) -> PathBuf {
        self.path().join("data/cedargate/tokens.db")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .env("NO_COLOR", "1")
            .env("USER", "tester")
            .env("XDG_DATA_HOME", self.path().join("data"))
            .env_remove("CEDARGATE_STORE")
            .env_remove("CEDARGATE_CONFIG")
            .env_remove("CEDARGATE_EXPIRY_MAX")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn kt(&self, arguments: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_kt")).args(arguments).output().unwrap()
    }

    /// What was printed, of a command that must succeed.
    fn data(&self, arguments: &[&str]) -> String {
        let output = self.kt(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn session(&self, arguments: &[&str]) -> String {
        shown(arguments, &self.kt(arguments))
    }

    fn session_with(&self, arguments: &[&str], input: &str) -> String {
        let mut command = self.command(env!("CARGO_BIN_EXE_kt"));
        let mut child = command.args(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        shown(arguments, &child.wait_with_output().unwrap())
    }

    /// Records events as a gateway does.
    fn record(&self, events: Vec<Event>) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = SqliteStore::open(self.store(), SqliteOptions::default()).await.unwrap();
            let recorder = Recorder::start(Arc::new(store.clone()) as Arc<dyn Store>, RecorderOptions::default());
            events.into_iter().for_each(|event| recorder.record(event));
            recorder.flush().await.unwrap();
            store.close().await;
        });
    }
}

/// Hides keys, ids, times and hashes: they are others each time. All have as many letters each time, so that tables
/// look as they do.
fn shown(arguments: &[&str], output: &Output) -> String {
    let masks = [
        (r"kt_((?:ak_|gk_)?[a-z0-9]+)_[0-9A-Za-z]{59}", "kt_${1}_KEY"),
        (r"kt_((?:ak_|gk_)?[a-z0-9]+)_[0-9A-Za-z]{10}\b", "kt_${1}_PUBLIC"),
        (r"tok_[0-9A-Za-z]{16}", "tok_ID"),
        (r"20\d\d-\d\d-\d\d([T ])\d\d:\d\d:\d\d(\.\d{3})?", "2026-01-01${1}00:00:00"),
        (r"/[^ `]*/data/cedargate/", "DATA/cedargate/"),
        (r"\b[0-9a-f]{64}\b", "HASH"),
        (r"local:tester\(\d+\)", "local:tester(UID)"),
    ];
    let text = |bytes: &[u8]| {
        let mut text = String::from_utf8(bytes.to_vec()).unwrap();
        // Said where nothing was compiled before.
        text = Regex::new(r"(?m)^(compiling|compiled) the component.*\n").unwrap().replace_all(&text, "").into_owned();
        for (pattern, mask) in masks {
            text = Regex::new(pattern).unwrap().replace_all(&text, mask).into_owned();
        }
        text
    };
    let arguments: Vec<_> = arguments
        .iter()
        .map(|word| if word.contains([' ', '"', '\'']) { format!("{word:?}") } else { (*word).to_owned() })
        .collect();
    format!(
        "$ kt {}\nexit {}\n--- stdout\n{}--- stderr\n{}\n",
        text(arguments.join(" ").as_bytes()),
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr)
    )
}

fn event(id: &str, name: &str) -> Event {
    let mut event = Event::new(id, "2024-01-15T10:30:12Z".parse().unwrap(), "chat.completions", Verdict::Allow);
    event.token_name = Some(name.into());
    event.team = Some("frontend".into());
    event.provider = Some("openai".into());
    event.model = Some("gpt-4o".into());
    event.latency_us = 1_200;
    event
}

#[test]
fn tokens_are_created_as_the_pages_show() {
    let desk = Desk::new();
    let mut sessions = String::new();
    for arguments in [
        &["tokens", "create", "--type", "access", "--name", "ci-pipeline-prod", "--expires-in", "90d", "--env", "prod"]
            [..],
        &["tokens", "create", "--type", "gateway", "--name", "app-production", "--expires-in", "30d"],
        &[
            "tokens",
            "create",
            "--type",
            "gateway",
            "--name",
            "frontend-only",
            "--allowed-models",
            "gpt-4o,gpt-4o-mini",
            "--expires-in",
            "7d",
        ],
        &["tokens", "create", "--type", "gateway", "--name", "gw-east", "--gateway-id", "gw-east"],
        &["tokens", "create", "--purpose", "integration", "--name", "reports", "--scopes", "events.read,usage.read"],
        &[
            "tokens",
            "create",
            "--purpose",
            "general",
            "--name",
            "small",
            "--allowed-models",
            "group:small",
            "--team",
            "frontend",
        ],
        &[
            "tokens",
            "create",
            "--purpose",
            "general",
            "--name",
            "json",
            "--output",
            "json",
            "--budget",
            "25.50usd/month",
        ],
        &["tokens", "list"],
        &["tokens", "list", "--type", "gateway", "--status", "active"],
    ] {
        sessions += &desk.session(arguments);
    }
    insta::assert_snapshot!("create", sessions);
    assert_eq!(fs::metadata(desk.store()).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_token_is_inspected_and_asked_what_it_can() {
    let desk = Desk::new();
    desk.data(&[
        "tokens",
        "create",
        "--type",
        "gateway",
        "--name",
        "app-production",
        "--allowed-models",
        "gpt-4o,gpt-4o-mini",
        "--networks",
        "10.0.0.0/8",
        "--scopes",
        "chat",
        "--budget",
        "60requests/minute,25.50usd/month",
    ]);
    let mut sessions = desk.session(&["tokens", "inspect", "--name", "app-production"]);
    sessions += &desk.session(&["tokens", "inspect", "--name", "app-production", "--can"]);
    desk.data(&["tokens", "disable", "--name", "app-production"]);
    sessions += &desk.session(&["tokens", "inspect", "--name", "app-production", "--can", "--output", "json"]);
    sessions += &desk.session(&["tokens", "inspect", "--name", "nobody"]);
    insta::assert_snapshot!("inspect", sessions);
}

#[test]
fn of_eight_rotations_at_once_one_prints_a_key_that_lives() {
    let desk = Desk::new();
    desk.data(&["tokens", "create", "--type", "access", "--name", "app"]);
    let rotate = ["tokens", "rotate", "--name", "app", "--idempotency-key", "build-7", "--output", "json"];
    let calls: Vec<_> = (0..8).map(|_| desk.command(env!("CARGO_BIN_EXE_kt")).args(rotate).spawn().unwrap()).collect();
    let mut printed = Vec::new();
    for call in calls {
        let output = call.wait_with_output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        if output.status.success() {
            printed.push(serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap());
        } else {
            assert!(
                output.stdout.is_empty() && told.contains("has just made secret 2, and nothing was changed"),
                "{told}"
            );
        }
    }
    assert_eq!(printed.len(), 1);
    let inspect =
        || serde_json::from_str::<serde_json::Value>(&desk.data(&["tokens", "inspect", "--name", "app"])).unwrap();
    let secret = &inspect()["secrets"][1];
    assert_eq!((&secret["version"], &secret["status"]), (&printed[0]["version"], &"active".into()));
    assert!(printed[0]["key"].as_str().unwrap().starts_with(secret["key"].as_str().unwrap()));

    // The job is run again after its deploy: the key that it put into production stays.
    let mut event = Event::new("req_1", "2026-01-01T00:00:00Z".parse().unwrap(), "chat.completions", Verdict::Allow);
    event.token_id = Some(printed[0]["id"].as_str().unwrap().into());
    event.secret_version = Some(2);
    desk.record(vec![event]);
    let before = inspect();
    let again = desk.kt(&rotate);
    let told = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(2), "{told}");
    assert!(again.stdout.is_empty() && told.contains("it is in use, and nothing was changed"), "{told}");
    assert_eq!(inspect(), before);
    desk.data(&["tokens", "revoke", "--name", "app"]);
    let ended = inspect();
    let statuses: Vec<_> = ended["secrets"].as_array().unwrap().iter().map(|secret| &secret["status"]).collect();
    assert_eq!(statuses, ["revoked", "revoked"]);
}

#[test]
fn what_a_machine_may_do_with_tokens_is_asked_about_one_like_it() {
    let desk = Desk::new();
    let created = desk.kt(&[
        "tokens",
        "create",
        "--purpose",
        "integration",
        "--name",
        "ci",
        "--scopes",
        "tokens.*",
        "--team",
        "red",
        "--expires-in",
        "30d",
        "--budget",
        "60requests/minute",
        "--networks",
        "10.0.0.0/8",
    ]);
    let actions = ["tokens.create", "tokens.list", "tokens.inspect", "tokens.edit", "tokens.rotate", "tokens.revoke"];
    let told = String::from_utf8(created.stderr).unwrap();
    let may = told.lines().find(|line| line.starts_with("may: ")).unwrap();
    let can = desk.data(&["tokens", "inspect", "--name", "ci", "--can"]);
    for action in actions {
        assert!(may.contains(action), "{action}: {told}");
        let line = can.lines().find(|line| line.starts_with(action)).unwrap();
        assert!(line.ends_with("allow"), "{line}");
    }
}

#[test]
fn a_profile_that_has_no_room_in_a_decision_is_refused() {
    let desk = Desk::new();
    let models: Vec<String> = (0..250).map(|n| format!("openai/{n:0>100}")).collect();
    let models = models.join(",");
    let said =
        refused(&desk.kt(&["tokens", "create", "--type", "access", "--name", "large", "--allowed-models", &models]));
    assert!(said.contains("at most 24576 are taken"), "{said}");
    let hash = "0".repeat(64);
    let arguments = ["tokens", "import", "--type", "access", "--name", "large", "--hash", &hash];
    let said = refused(&desk.kt(&[&arguments[..], &["--allowed-models", &models]].concat()));
    assert!(said.contains("at most 24576 are taken"), "{said}");
    desk.data(&["tokens", "create", "--type", "access", "--name", "app"]);
    let said = refused(&desk.kt(&["tokens", "edit", "--name", "app", "--allowed-models", &models]));
    assert!(said.contains("at most 24576 are taken"), "{said}");
}

#[test]
fn a_token_is_changed_and_ended() {
    let desk = Desk::new();
    for name in ["app", "ci-1", "ci-2", "dev-prototyping"] {
        desk.data(&["tokens", "create", "--type", "access", "--name", name]);
    }
    let mut sessions = String::new();
    for arguments in [
        &["tokens", "edit", "--name", "app", "--allowed-models", "gpt-4o", "--consumer-group", "web"][..],
        &["tokens", "edit", "--name", "app", "--clear", "allowed-models", "--expires-in", "30d"],
        &["tokens", "edit", "--name", "app"],
        &["tokens", "rotate", "--name", "app"],
        &["tokens", "rotate", "--name", "app", "--grace", "0", "--idempotency-key", "build-7", "--output", "json"],
        &["tokens", "rotate", "--name", "app", "--idempotency-key", "build-7"],
        &["tokens", "revoke", "--name", "app", "--version", "1"],
        &["tokens", "disable", "--name", "app"],
        &["tokens", "enable", "--name", "app"],
        &["tokens", "revoke", "--name", "dev-prototyping"],
        &["tokens", "revoke", "--filter", "name=ci-*", "--dry-run"],
        &["tokens", "revoke", "--name", "ci-1", "--name", "ci-2"],
        &["tokens", "enable", "--name", "ci-1"],
        &["tokens", "list"],
        &["audit"],
    ] {
        sessions += &desk.session(arguments);
    }
    insta::assert_snapshot!("change", sessions);
}

#[test]
fn a_token_is_meant_by_its_id_as_well() {
    let desk = Desk::new();
    let created = desk.data(&["tokens", "create", "--type", "access", "--name", "app", "--output", "json"]);
    let created: serde_json::Value = serde_json::from_str(&created).unwrap();
    let id = created["id"].as_str().unwrap();
    let shown = |arguments: &[&str]| {
        let text = desk.data(&[&["tokens"], arguments, &["--id", id]].concat());
        assert!(text.contains(id) || text.contains("Name: app"), "{text}");
        text
    };
    shown(&["edit", "--description", "jane's editor", "--scopes", "read", "--not-before", "2026-01-01T00:00:00Z"]);
    shown(&["edit", "--expires-at", "2099-01-01T00:00:00+02:00"]);
    shown(&["rotate"]);
    shown(&["disable"]);
    let inspected: serde_json::Value = serde_json::from_str(&shown(&["inspect"])).unwrap();
    for (field, value) in [
        ("description", "jane's editor"),
        ("not_before", "2026-01-01T00:00:00Z"),
        ("expires_at", "2098-12-31T22:00:00Z"),
        ("status", "disabled"),
    ] {
        assert_eq!(inspected[field], value, "{inspected}");
    }
    assert_eq!((&inspected["scopes"][0], inspected["secrets"].as_array().unwrap().len()), (&"read".into(), 2));
    shown(&["enable"]);
    assert!(desk.data(&["usage", "--id", id]).starts_with("Name: app"));
    assert!(desk.data(&["tokens", "list", "--status", "in_grace"]).lines().count() == 1, "the token itself is active");
    shown(&["revoke", "--version", "1"]);
    shown(&["revoke"]);
    assert_eq!(desk.data(&["tokens", "list", "--status", "revoked", "--type", "access"]).lines().count(), 2);
    // A name is not an id, and an id is not a name.
    assert!(refused(&desk.kt(&["tokens", "inspect", "--name", id])).contains("there is no token"));
    assert!(refused(&desk.kt(&["tokens", "inspect", "--id", "app"])).contains("there is no token"));
}

#[test]
fn scanners_are_told_how_keys_look() {
    assert!(Desk::new().data(&["tokens", "create", "--help"]).contains(cedargate_tokens::SECRET_PATTERN));
}

#[test]
fn mistakes_are_caught_with_a_cure() {
    let desk = Desk::new();
    let create = |more: &[&'static str]| {
        let mut arguments = vec!["tokens", "create", "--name", "app"];
        arguments.extend(more);
        desk.session(&arguments)
    };
    let mut sessions = desk.session(&["tokens", "list"]);
    for more in [
        &[][..],
        &["--type", "access", "--expires-at", "2020-01-01T00:00:00Z"],
        &["--type", "access", "--expires-in", "soon"],
        &["--purpose", "gateway_runtime"],
        &["--type", "access", "--allowed-models", ""],
        &["--type", "access", "--allowed-models", "gpt-*"],
        &["--type", "access", "--networks", "10.0.0.0/33"],
        &["--type", "access", "--budget", "5bananas/day"],
        &["--type", "access", "--budget", "1usd/month,2usd/month"],
        &["--type", "access", "--expires-in", "1000000d"],
        &["--type", "access", "--env", "Prod"],
        &["--type", "access"],
        &["--type", "access"],
    ] {
        sessions += &create(more);
    }
    let mut command = desk.command(env!("CARGO_BIN_EXE_kt"));
    let arguments = ["tokens", "create", "--type", "access", "--name", "long", "--expires-in", "91d"];
    sessions += &shown(&arguments, &command.args(arguments).env("CEDARGATE_EXPIRY_MAX", "90d").output().unwrap());
    sessions += &desk.session(&["tokens", "create", "--purpose", "integration", "--name", "idle"]);
    sessions += &desk.session(&["tokens", "create", "--type", "access", "--name", "typo", "--scopes", "chatt"]);
    sessions += &desk.session(&["tokens", "list", "--store", "."]);
    insta::assert_snapshot!("mistakes", sessions);
}

/// The script of the product's page, word for word.
const ROTATION: &str = r#"#!/usr/bin/env bash
set -euo pipefail

KEY_NAME="app-production"
ROTATION_SUFFIX=$(date +%Y%m%d)
NEW_NAME="${KEY_NAME}-${ROTATION_SUFFIX}"

# Create new key
NEW_KEY=$(kt tokens create \
--type gateway \
--name "$NEW_NAME" \
--expires-in 30d \
--output json | jq -r '.key')

# Store in your secrets manager
echo "New key: $NEW_NAME"
echo "Deploy this key and then revoke the previous one."
"#;

/// Whether a program is there. In CI it must be.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "`{program}` is not installed");
    if !found {
        eprintln!("not tested: `{program}` is not installed (`apt-get install {program}`)");
    }
    found
}

#[test]
fn the_rotation_script_of_the_pages_runs() {
    if !has("jq") {
        return;
    }
    let desk = Desk::new();
    let bin = Path::new(env!("CARGO_BIN_EXE_kt")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    // The key that the script holds, for the test to see.
    let script = format!("{ROTATION}printf '%s' \"$NEW_KEY\" > key\n");
    let output = desk.command("bash").env("PATH", path).args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("New key: app-production-20"), "{told}");
    let key = fs::read_to_string(desk.path().join("key")).unwrap();
    assert!(Regex::new(cedargate_tokens::SECRET_PATTERN).unwrap().is_match(&key));
    assert!(cedargate_tokens::Secret::parse(&key).is_ok());
}

#[test]
fn a_key_is_on_standard_output_and_nowhere_else() {
    let desk = Desk::new();
    let output = desk.kt(&["tokens", "create", "--type", "access", "--name", "app", "--output", "json"]);
    let created: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let key = created["key"].as_str().unwrap();
    let hidden = &key[key.len() - 49..];
    assert!(!String::from_utf8(output.stderr).unwrap().contains(hidden));
    for arguments in [
        &["tokens", "list", "--output", "json"][..],
        &["tokens", "inspect", "--name", "app"],
        &["tokens", "export"],
        &["audit", "--format", "json"],
    ] {
        assert!(!desk.data(arguments).contains(hidden), "{arguments:?}");
    }
    for entry in fs::read_dir(desk.store().parent().unwrap()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes()));
    }
}

#[test]
fn a_key_that_cannot_be_shown_is_not_lost_in_silence() {
    let desk = Desk::new();
    let lost = |arguments: &[&str]| {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = desk.command(env!("CARGO_BIN_EXE_kt")).args(arguments).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("`app` has a key that could not be shown: `kt tokens rotate --id tok_"), "{said}");
        assert!(said.contains("cannot write to standard output"), "{said}");
    };
    lost(&["tokens", "create", "--type", "access", "--name", "app"]);
    lost(&["tokens", "rotate", "--name", "app", "--output", "json"]);
    // A reader that is gone is silence for every other command.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let rotate = ["tokens", "rotate", "--name", "app", "--grace", "0"];
    let output = desk.command(env!("CARGO_BIN_EXE_kt")).args(rotate).stdout(writer).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("a key that could not be shown"));
}

#[test]
fn tokens_are_exported_and_keys_of_other_systems_imported() {
    let desk = Desk::new();
    desk.data(&[
        "tokens",
        "create",
        "--type",
        "access",
        "--name",
        "=HYPERLINK(1)",
        "--description",
        "a \"quoted\", one",
    ]);
    let mut sessions = String::new();
    let hash = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    sessions += &desk.session(&["tokens", "import", "--type", "access", "--name", "old-ci", "--hash", hash]);
    let from_stdin = ["tokens", "import", "--type", "gateway", "--name", "old-app", "--key-from-stdin"];
    sessions += &desk.session_with(&from_stdin, "gw_sk_a-key-of-another-system\n");
    sessions += &desk.session_with(&from_stdin, "two words\n");
    sessions += &desk.session(&["tokens", "import", "--type", "access", "--name", "again", "--hash", hash]);
    sessions += &desk.session(&["tokens", "export", "--format", "csv"]);
    sessions += &desk.session(&["tokens", "export", "--name", "old-app", "--name", "old-ci"]);
    sessions += &desk.session(&["tokens", "export", "--name", "old-app", "--name", "nobody"]);
    insta::assert_snapshot!("export", sessions);
}

#[test]
fn events_are_shown_in_lines_that_no_name_can_forge() {
    let desk = Desk::new();
    desk.data(&["tokens", "create", "--type", "access", "--name", "jane-vscode"]);
    let mut denied = event("req_2", "x team:admin PASS");
    denied.decision = Verdict::Deny;
    denied.status = 403;
    denied.code = Some("model_not_allowed".into());
    let mut flipped = event("req_3", "jane-vscode");
    flipped.shadow = Some(Shadow {
        decision: Verdict::Deny,
        status: 429,
        code: Some("insufficient_quota".into()),
        policies: vec!["budget-exhausted".into()],
        policy_set: "sha256:00".into(),
    });
    let mut unknown = Event::new("req_4", "2024-01-15T10:30:13Z".parse().unwrap(), "models.list", Verdict::Deny);
    unknown.status = 401;
    unknown.code = Some("token_unknown".into());
    desk.record(vec![event("req_1", "jane-vscode"), denied, flipped, unknown]);
    let mut sessions = desk.session(&["events", "tail"]);
    sessions += &desk.session(&["events", "tail", "--filter", "token_name=jane-vscode", "--limit", "1"]);
    sessions += &desk.session(&[
        "events",
        "tail",
        "--filter",
        "decision=deny",
        "--filter",
        "team=frontend",
        "--format",
        "json",
    ]);
    sessions += &desk.session(&["events", "tail", "--filter", "colour=red"]);
    insta::assert_snapshot!("events", sessions);
}

#[test]
fn events_are_followed_as_they_come() {
    let desk = Desk::new();
    desk.data(&["tokens", "create", "--type", "access", "--name", "jane-vscode"]);
    desk.record(vec![event("req_1", "first")]);
    let mut child = desk.command(env!("CARGO_BIN_EXE_kt")).args(["events", "tail", "--follow"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("key:first "));
    desk.record(vec![event("req_2", "second"), event("req_3", "third")]);
    assert!(lines.next().unwrap().unwrap().contains("key:second "));
    assert!(lines.next().unwrap().unwrap().contains("key:third "));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn usage_counts_what_was_recorded() {
    let desk = Desk::new();
    let created = desk.data(&["tokens", "create", "--type", "access", "--name", "app", "--output", "json"]);
    let created: serde_json::Value = serde_json::from_str(&created).unwrap();
    let mut sessions = desk.session(&["usage", "app"]);
    let used = |n: u32| {
        let mut event = event(&format!("req_{n}"), "app");
        event.token_id = Some(created["id"].as_str().unwrap().into());
        event.secret_version = Some(1);
        event.tokens_in = Some(100);
        event.tokens_out = Some(20);
        event.cost_nanos = Some(450_000);
        event
    };
    let mut failed = used(3);
    failed.status = 502;
    let mut denied = used(4);
    denied.decision = Verdict::Deny;
    denied.status = 403;
    let mut recent = used(5);
    recent.time = cedargate::model::Timestamp::now();
    recent.model = Some("gpt-4o-mini".into());
    desk.record(vec![used(1), used(2), failed, denied, recent]);
    sessions += &desk.session(&["usage", "app"]);
    sessions += &desk.session(&["usage", "app", "--format", "json"]);
    sessions += &desk.session(&["usage", "nobody"]);
    insta::assert_snapshot!("usage", sessions);
}

#[test]
fn the_audit_log_shows_what_was_tampered_with() {
    let desk = Desk::new();
    desk.data(&["tokens", "create", "--type", "access", "--name", "app"]);
    let verified = desk.data(&["audit", "verify"]);
    let head = verified.lines().last().unwrap().strip_prefix("head: ").unwrap().to_owned();
    desk.data(&["tokens", "edit", "--name", "app", "--team", "frontend"]);
    let mut sessions = desk.session(&["audit", "verify", "--head", &head]);
    sessions += &desk.session(&["audit", "verify", "--format", "json"]);
    sessions += &desk.session(&["audit", "verify", "--head", &"0".repeat(64)]);
    sessions += &desk.session(&["audit", "verify", "--head", "here"]);
    if has("sqlite3") {
        let sql = "DROP TRIGGER audit_is_not_changed; UPDATE audit SET actor = 'nobody' WHERE number = 1";
        assert!(Command::new("sqlite3").arg(desk.store()).arg(sql).status().unwrap().success());
        sessions += &desk.session(&["audit", "verify", "--head", &head]);
        insta::assert_snapshot!("audit", sessions);
    }
}

/// What a command says that cannot answer: nothing on standard output, one text on standard error.
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn what_cannot_exist_is_noticed_with_the_configuration() {
    let desk = Desk::new();
    let config = "store = \"gateway.db\"\n[tokens]\nexpires_in_max = \"90d\"\n[providers.openai]\ndialect = \"echo\"\n\
                  [[models]]\nid = \"openai/gpt-4o\"\ngroups = [\"small\"]\n";
    fs::write(desk.path().join("gateway.toml"), config).unwrap();
    let create = |more: &[&'static str]| {
        let mut arguments = vec!["tokens", "create", "--type", "access", "--name", "app", "--config", "gateway.toml"];
        arguments.extend(more);
        desk.session(&arguments)
    };
    let mut sessions = String::new();
    for more in [
        &["--expires-in", "30d", "--allowed-models", "gpt4o"][..],
        &["--expires-in", "30d", "--allowed-models", "openai/gpt-5"],
        &["--expires-in", "30d", "--allowed-models", "group:smal"],
        &["--expires-in", "30d", "--allowed-providers", "opnai"],
        &["--expires-in", "91d"],
        &[],
        &["--expires-in", "30d", "--allowed-models", "gpt-4o,group:small", "--allowed-providers", "openai"],
    ] {
        sessions += &create(more);
    }
    sessions += &desk.session(&["tokens", "list", "--config", "gateway.toml"]);
    sessions += &desk.session(&["tokens", "list", "--config", "missing.toml"]);
    insta::assert_snapshot!("config", sessions);
    assert!(desk.path().join("gateway.db").is_file(), "the store is the gateway's");
}

/// A gateway's configuration whose keys are elsewhere, with a team that has restrictions.
const RESTRICTED: &str = r#"
gateway_id = "gw-east"
org_id = "acme"
store = "gateway.db"

[providers.openai]
dialect = "openai"
base_url = "https://api.openai.example/v1"
key_env = "CEDARGATE_TEST_NOT_SET"

[providers.anthropic]
dialect = "anthropic"
base_url = "https://api.anthropic.example"
key_file = "nowhere.key"

[[models]]
id = "openai/gpt-4o"
groups = ["large"]

[[models]]
id = "openai/gpt-4o-mini"
groups = ["tiny"]

[[models]]
id = "anthropic/claude-sonnet-4-5"

[teams.frontend]
models = ["group:tiny", "claude-sonnet-4-5"]

[teams.research]
providers = ["anthropic"]
"#;

#[test]
fn what_a_token_can_do_is_what_the_gateway_would_let_it() {
    let desk = Desk::new();
    fs::write(desk.path().join("gateway.toml"), RESTRICTED).unwrap();
    let create = |name: &str, more: &[&str]| {
        let arguments = ["tokens", "create", "--config", "gateway.toml", "--type", "access", "--name", name];
        desk.data(&[&arguments, more].concat());
    };
    create("front", &["--team", "frontend"]);
    create("front-large", &["--team", "frontend", "--allowed-models", "gpt-4o,gpt-4o-mini"]);
    create("research", &["--team", "research"]);
    create("elsewhere", &["--org", "other"]);
    create("tiny", &["--allowed-models", "group:tiny"]);
    let mut sessions = String::new();
    for name in ["front", "front-large", "research", "elsewhere", "tiny"] {
        let arguments = ["tokens", "inspect", "--config", "gateway.toml", "--name", name, "--can"];
        let can = desk.session(&arguments);
        // What no policy of a configuration is about stays out of the way.
        let is_told = |line: &&str| !line.contains("action_not_allowed") && !line.starts_with("images");
        sessions.extend(can.lines().filter(is_told).map(|line| format!("{line}\n")));
    }
    insta::assert_snapshot!("can", sessions);
}

#[test]
fn no_command_but_serve_needs_the_keys_of_providers() {
    let desk = Desk::new();
    fs::write(desk.path().join("gateway.toml"), RESTRICTED).unwrap();
    for arguments in [
        &["tokens", "create", "--type", "access", "--name", "app"][..],
        &["tokens", "list"],
        &["tokens", "inspect", "--name", "app", "--can"],
        &["tokens", "edit", "--name", "app", "--expires-in", "30d"],
        &["tokens", "disable", "--name", "app"],
        &["tokens", "enable", "--name", "app"],
        &["tokens", "rotate", "--name", "app"],
        &["tokens", "export"],
        &["tokens", "revoke", "--name", "app"],
        &["events", "tail"],
        &["usage", "app"],
        &["audit"],
        &["audit", "verify"],
    ] {
        desk.data(&[arguments, &["--config", "gateway.toml"]].concat());
        let mut command = desk.command(env!("CARGO_BIN_EXE_kt"));
        let repeated = command.args(["tokens", "list"]).env("CEDARGATE_CONFIG", "gateway.toml").output().unwrap();
        assert!(repeated.status.success(), "{}", String::from_utf8_lossy(&repeated.stderr));
    }
    assert!(!desk.store().exists(), "the store is the one of the configuration");
}

#[test]
fn nothing_that_is_typed_steers_the_terminal_or_shows_a_key() {
    let desk = Desk::new();
    let created = desk.data(&["tokens", "create", "--type", "access", "--name", "app", "-o", "json"]);
    let created: serde_json::Value = serde_json::from_str(&created).unwrap();
    let key = created["key"].as_str().unwrap();
    let hidden = &key[key.len() - 49..key.len() - 9];
    let escape = "\u{1b}]0;title\u{7}\u{1b}[31m\u{202e}";
    for typed in [key, escape] {
        for arguments in [
            &["tokens", "inspect", "--name", typed][..],
            &["tokens", "inspect", typed],
            &["tokens", "revoke", "--id", typed],
            &["tokens", "create", "--type", "access", "--name", typed],
            &["tokens", "create", "--type", "access", "--name", "b", "--description", typed],
            &["tokens", "create", "--type", typed, "--name", "b"],
            &["tokens", "create", "--type", "access", "--name", "b", "--expires-in", typed],
            &["tokens", "create", "--type", "access", "--name", "b", "--budget", typed],
            &["tokens", "create", "--type", "access", "--name", "b", "--networks", typed],
            &["tokens", "import", "--type", "access", "--name", "b", "--hash", typed],
            &["tokens", "list", "--filter", typed],
            &["tokens", "list", "--status", typed],
            &["tokens", "list", "--store", typed],
            &["events", "tail", "--filter", typed],
            &["audit", "verify", "--head", typed],
            &["usage", typed],
            &[typed],
        ] {
            let said = refused(&desk.kt(arguments));
            assert!(!said.contains(hidden), "{arguments:?}: {said}");
            assert!(!said.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{said:?}");
        }
    }
    // A key of another system looks like nothing: it is not repeated where a hash was asked for.
    let foreign = ["tokens", "import", "--type", "access", "--name", "b", "--hash", "gw_sk_somebodys-key"];
    assert!(!refused(&desk.kt(&foreign)).contains("somebodys"));
    let long = "x".repeat(100_000);
    assert!(refused(&desk.kt(&["tokens", "inspect", "--name", &long])).len() < 1_000);
    let no_text = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    let mut command = desk.command(env!("CARGO_BIN_EXE_kt"));
    assert!(refused(&command.args(["tokens", "inspect", "--name"]).arg(no_text).output().unwrap()).contains("UTF-8"));
    assert_eq!(desk.data(&["tokens", "list"]).lines().count(), 2, "nothing was made");
}

#[test]
fn a_store_that_cannot_be_used_is_told_with_a_cure() {
    let desk = Desk::new();
    for n in 0..3 {
        desk.data(&["tokens", "create", "--type", "access", "--name", &format!("app-{n}"), "--store", "whole.db"]);
    }
    // SQLite would take this for a database in memory, and forget what was acknowledged.
    let url = "file:x.db?mode=memory";
    desk.data(&["tokens", "create", "--type", "access", "--name", "app", "--store", url]);
    assert_eq!(desk.data(&["tokens", "list", "--store", url]).lines().count(), 2);

    let whole = fs::read(desk.path().join("whole.db")).unwrap();
    let put = |name: &str, bytes: &[u8], mode: u32| {
        let path = desk.path().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let mut damaged = whole.clone();
    damaged.iter_mut().skip(4_096).for_each(|byte| *byte ^= 0x5a);
    let mut newer = whole.clone();
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    put("damaged.db", &damaged, 0o600);
    put("cut.db", &whole[..5_000], 0o600);
    put("newer.db", &newer, 0o600);
    put("notes.txt", "these are notes, not a database\n".repeat(200).as_bytes(), 0o600);
    put("open.db", &whole, 0o644);
    for (store, told) in [
        ("damaged.db", "restore it from a backup"),
        ("cut.db", "restore it from a backup"),
        ("newer.db", "update `kt`"),
        ("notes.txt", "name another file with `--store`"),
        ("open.db", "`chmod 600 open.db`"),
        ("none.db", "`kt tokens create --store none.db` makes it"),
        (".", "it is not a regular file"),
        ("/dev/null", "`/dev/null` is not a regular file"),
    ] {
        for command in [&["tokens", "list"][..], &["tokens", "revoke", "--name", "app-0"], &["audit", "verify"]] {
            let said = refused(&desk.kt(&[command, &["--store", store]].concat()));
            assert!(said.contains(told), "{store}: {said}");
        }
    }
}

#[test]
fn a_clock_that_was_set_back_is_refused_until_somebody_accepts_it() {
    let desk = Desk::new();
    desk.data(&["tokens", "create", "--type", "access", "--name", "app"]);
    let mut later = event("req_1", "app");
    later.time = cedargate::model::Timestamp::from_millis(cedargate::model::Timestamp::now().as_millis() + 3_600_000);
    desk.record(vec![later]);
    for command in [&["tokens", "list"][..], &["tokens", "rotate", "--name", "app"], &["events", "tail"]] {
        let said = refused(&desk.kt(command));
        assert!(said.contains("a clock that was set back revives expired tokens"), "{said}");
        assert!(said.contains("--accept-clock"), "{said}");
    }
    desk.data(&["tokens", "list", "--accept-clock"]);
    desk.data(&["tokens", "list"]);
}

#[test]
fn commands_at_the_same_time_lose_nothing() {
    let desk = Desk::new();
    desk.data(&["tokens", "create", "--type", "access", "--name", "app"]);
    let hash = |n: usize| format!("{n:064}");
    let started: Vec<_> = (0..8)
        .map(|n| {
            let name = if n % 2 == 0 { "the-same".to_owned() } else { format!("app-{n}") };
            let arguments = ["tokens", "import", "--type", "access", "--name", &name, "--hash", &hash(n)];
            desk.command(env!("CARGO_BIN_EXE_kt")).args(arguments).spawn().unwrap()
        })
        .collect();
    let mut made = 0;
    for child in started {
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            made += 1;
        } else {
            assert!(refused(&output).contains("a live token has the name `the-same`"));
        }
    }
    assert_eq!(made, 5);
    assert_eq!(desk.data(&["tokens", "list"]).lines().count(), 7);
    assert!(desk.data(&["audit", "verify"]).contains("entries: 6"));
}
