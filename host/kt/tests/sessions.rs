//! Whole sessions: what was typed, the exit code, stdout and stderr, as a person sees them.
//!
//! `INSTA_UPDATE=always cargo test -p cedargate-kt --test sessions` writes the snapshots anew.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const FRONTEND: &str = r#"{"id":"r-1","at":"2026-04-23T12:45:00Z",
 "principal":{"id":"tok_frontend","name":"frontend-only","purpose":"general","principal_type":"api_token","status":"active",
   "bindings":{"models":["gpt-4o","gpt-4o-mini"]}},
 "request":{"action":"chat.completions","provider":"openai","model":"MODEL"}}"#;

/// Runs `kt` in a folder and shows the session. Digests and times differ between builds and machines.
fn session(folder: &Path, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kt"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| masked(std::str::from_utf8(bytes).unwrap());
    format!(
        "$ kt {}\nexit {}\n--- stdout\n{}--- stderr\n{}",
        arguments.join(" "),
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// Hides what follows `sha256:`, lines that speak of seconds, and what is said where nothing was compiled before.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let is_of_compiling = |line: &&str| line.starts_with("compiling the comp") || line.starts_with("compiled the comp");
    for line in text.lines().filter(|line| !is_of_compiling(line)) {
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("sha256:") {
            out.push_str(before);
            out.push_str("sha256:…");
            rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        }
        let timed = rest.contains(" decisions a second");
        out.push_str(if timed { "(a line with a measure)" } else { rest });
        out.push('\n');
    }
    out
}

#[test]
fn authorize_allows_and_denies_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let allow = session(folder.path(), &["authorize", "-"], &FRONTEND.replace("MODEL", "gpt-4o"));
    let deny = session(folder.path(), &["authorize", "-"], &FRONTEND.replace("MODEL", "o3"));
    insta::assert_snapshot!("authorize", format!("{allow}\n{deny}"));
}

#[test]
fn authorize_says_what_is_wrong_with_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let mut sessions = String::new();
    for input in [
        "",
        "null",
        "{}",
        "{\"id\":\"x\"",
        &FRONTEND.replace("\"status\"", "\"state\""),
        &FRONTEND.replace("\"MODEL\"", "null"),
        &FRONTEND.replace('\n', "").replace("\"MODEL\"", "null"),
    ] {
        sessions += &session(folder.path(), &["authorize", "-"], input);
        sessions += "\n";
    }
    sessions += &session(folder.path(), &["authorize", "missing.json"], "");
    insta::assert_snapshot!("authorize-input", sessions);
}

#[test]
fn replay_names_mismatches_and_unreadable_lines() {
    let folder = tempfile::tempdir().unwrap();
    let line = FRONTEND.replace('\n', "");
    let expect = |text: &str, expect: &str| format!("{},\"expect\":{expect}}}\n", text.strip_suffix('}').unwrap());
    let records = [
        expect(&line.replace("MODEL", "gpt-4o"), r#"{"decision":"allow"}"#),
        expect(&line.replace("MODEL", "o3"), r#"{"decision":"allow"}"#),
        "not a record\n".to_owned(),
        format!("{}\n", line.replace("MODEL", "gpt-4o")),
    ];
    fs::write(folder.path().join("records.jsonl"), records.concat()).unwrap();
    fs::write(folder.path().join("good.jsonl"), &records[0]).unwrap();
    let good = session(folder.path(), &["replay", "good.jsonl"], "");
    let bad = session(folder.path(), &["replay", "records.jsonl", "missing.jsonl"], "");
    insta::assert_snapshot!("replay", format!("{good}\n{bad}"));
}

#[test]
fn policy_check_points_at_every_error() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/schema.cedarschema");
    fs::copy(schema, folder.path().join("schema.cedarschema")).unwrap();
    fs::write(
        folder.path().join("a.cedar"),
        "permit(principal, action, resource);\n\n@id(\"b\")\n@status(\"200\")\nforbid(principal, action, resource);\n\n\
         @id(\"c\")\npermit(principal, action, resource) when { principal.colour == \"red\" };\n",
    )
    .unwrap();
    fs::write(folder.path().join("b.cedar"), "@id(\"d\")\npermit(principal action, resource);\n").unwrap();
    insta::assert_snapshot!("policy-check", session(folder.path(), &["policy", "check", "."], ""));
}

/// A mistake: what it is, the file it is in, and the file's text.
type Mistake = (&'static str, &'static str, fn() -> Vec<u8>);

const MISTAKES: [Mistake; 15] = [
    ("too deep", "deep.cedar", || {
        let (open, close) = ("(".repeat(10_000), ")".repeat(10_000));
        format!("@id(\"deep\")\npermit (principal, action, resource)\nwhen {{ {open}true{close} }};\n").into_bytes()
    }),
    ("too large", "large.cedar", || vec![b' '; 50 << 20]),
    ("not UTF-8", "latin.cedar", || b"@id(\"caf\xe9\") permit (principal, action, resource);\n".to_vec()),
    ("a status on a permit", "status.cedar", || {
        b"@id(\"a\")\n@status(\"403\")\npermit (principal, action, resource);\n".to_vec()
    }),
    ("a reserved code", "code.cedar", || {
        b"@id(\"a\")\n@code(\"policy_error\")\nforbid (principal, action, resource);\n".to_vec()
    }),
    ("an unknown annotation", "annotation.cedar", || {
        b"@id(\"a\")\n@owner(\"me\")\nforbid (principal, action, resource);\n".to_vec()
    }),
    ("a depth beyond what is safe", "bundle.toml", || b"[limits]\ndepth = 65\n".to_vec()),
    ("an unknown setting", "bundle.toml", || b"team = \"closed\"\n".to_vec()),
    ("a type that is not declared", "entities.json", || {
        br#"[{"uid":{"type":"Nobody","id":"a"},"attrs":{},"parents":[]}]"#.to_vec()
    }),
    ("a principal among the entities", "entities.json", || {
        br#"[{"uid":{"type":"ApiToken","id":"tok_a"},"attrs":{"id":"tok_a","purpose":"general","principal_type":"api_token",
          "status":"active","team_declared":true,"bindings":{}},"parents":[]}]"#
            .to_vec()
    }),
    ("an entity without an end", "entities.json", || b"[\n  {\"uid\": 1,".to_vec()),
    ("a parent that cannot be one", "entities.json", || {
        br#"[{"uid":{"type":"Role","id":"admin"},"attrs":{},"parents":[{"type":"Team","id":"a"}]}]"#.to_vec()
    }),
    ("a link to nothing", "a.links.json", || br#"[{"template_id":"x","link_id":"y","args":{}}]"#.to_vec()),
    ("a network that is none", "network.cedar", || {
        b"@id(\"a\")\npermit (principal, action, resource)\nwhen { context has client && context.client in Network::\"10.0.0.1/8\" };\n"
            .to_vec()
    }),
    ("a schema without an end", "schema.cedarschema", || b"entity Team".to_vec()),
];

#[test]
fn policy_check_has_a_cure_for_every_mistake() {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut sessions = String::new();
    for (what, file, text) in MISTAKES {
        let folder = tempfile::tempdir().unwrap();
        for name in ["schema.cedarschema", "profiles.cedar"] {
            fs::copy(policies.join(name), folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join(file), text()).unwrap();
        sessions += &format!("# {what}\n{}\n", session(folder.path(), &["policy", "check", "."], ""));
    }
    insta::assert_snapshot!("policy-mistakes", sessions);
}

#[test]
fn a_lock_is_written_checked_and_honoured() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/schema.cedarschema");
    fs::copy(schema, folder.path().join("schema.cedarschema")).unwrap();
    fs::write(folder.path().join("a.cedar"), "@id(\"a\")\npermit(principal, action, resource);\n").unwrap();
    let mut sessions = session(folder.path(), &["policy", "lock", "."], "");
    sessions += &session(folder.path(), &["policy", "lock", ".", "--check"], "");
    fs::write(folder.path().join("b.cedar"), "@id(\"b\")\npermit(principal, action, resource);\n").unwrap();
    sessions += &session(folder.path(), &["policy", "lock", ".", "--check"], "");
    sessions += &session(folder.path(), &["authorize", "--policies", ".", "-"], &FRONTEND.replace("MODEL", "gpt-4o"));
    insta::assert_snapshot!("policy-lock", sessions);
}
