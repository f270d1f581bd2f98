//! The cases that stand beside the policies, and the bundles they are asked of.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// One request record with what is expected of it.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// What the case shows.
    pub id: String,
    /// When.
    pub at: String,
    /// Who.
    pub principal: Box<RawValue>,
    /// What.
    pub request: Box<RawValue>,
    /// The decision.
    pub expect: Option<Expect>,
}

/// What a case expects.
#[derive(Debug, Deserialize)]
pub struct Expect {
    /// `allow` or `deny`.
    pub decision: String,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The code of a denial.
    pub code: Option<String>,
    /// Exactly the determining policies.
    pub policies: Option<Vec<String>>,
}

/// The cases of a file.
pub fn cases(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let read = |(at, line): (usize, &str)| {
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{}:{}: {e}", path.display(), at + 1))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(read).collect()
}

/// The folder of the default bundle.
pub fn policies() -> PathBuf {
    root().join("policies")
}

/// The folder of the default bundle as it was released with version 0.1.0 of the contract. It never changes.
pub fn released() -> PathBuf {
    root().join("tests/contract/bundle-0.1.0")
}

/// Every file of cases beside the default policies, sorted.
pub fn case_files() -> Vec<PathBuf> {
    case_files_in(&policies())
}

/// Every file of cases in a folder, sorted.
pub fn case_files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder of policies")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".cases.jsonl"))
        .collect();
    files.sort();
    files
}

/// The text of the default bundle, with the files of an overlay folder in place of its own.
pub fn bundle(overlay: Option<&Path>) -> String {
    let folders: Vec<PathBuf> = std::iter::once(policies()).chain(overlay.map(Path::to_path_buf)).collect();
    bundle_of(&folders)
}

/// The text of the bundle of some folders, of which a later one has files in place of an earlier one's.
pub fn bundle_of(folders: &[PathBuf]) -> String {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder).expect("a bundle folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if name.ends_with(".cedar")
                || name == "schema.cedarschema"
                || name == "entities.json"
                || name == "bundle.toml"
            {
                files.insert(name, std::fs::read_to_string(&path).expect("a text"));
            }
        }
    }
    let closed =
        files.get("bundle.toml").is_some_and(|text| text.lines().any(|line| line.trim() == "teams = \"closed\""));
    let file = |name: &str| files.get(name).map(|text| json!({"name": name, "text": text}));
    let policies: Vec<Value> =
        files.keys().filter(|name| name.ends_with(".cedar")).filter_map(|name| file(name)).collect();
    let mut bundle = json!({
        "v": 1,
        "schema": file("schema.cedarschema"),
        "policies": policies,
        "settings": {"teams": if closed { "closed" } else { "open" }, "max_cache_ms": 1000},
    });
    if let Some(entities) = file("entities.json") {
        bundle["entities"] = entities;
    }
    bundle.to_string()
}

/// RFC 3339 to milliseconds.
pub fn millis(text: &str) -> i64 {
    let quoted = Value::String(text.to_owned()).to_string();
    serde_json::from_str::<cedargate_guest::Millis>(&quoted).expect("a time").0
}
