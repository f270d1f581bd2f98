//! `kt policy check`: everything that is wrong with a folder of policies.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use cedargate::{BuildError, Bundle, BundleError, Diagnostics, LoadError, Severity};
use clap::Args;
use serde::Serialize;

use crate::answer::Answer;
use crate::clean::clean_lines;
use crate::format::{Format, FormatArg};
use crate::policies::{self, Rendered};
use crate::{stderr, stdout};

const AFTER_HELP: &str = "\
Exit codes: 0 no errors (there may be warnings), 1 errors, 2 cannot say.

Examples:
  kt policy check ./policies
  kt policy check ./policies --format json";

/// Shows everything that is wrong with a folder of policies.
///
/// Parses every policy, validates it strictly against the schema, and checks ids, annotations, static entities, links
/// and limits. Each finding comes with its place, the line and what to do. At most 100 are shown.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Check {
    /// The folder of the policies. Default: the policies that are built in.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArg,
}

/// What there is to say about a folder.
#[derive(Default, Serialize)]
struct Findings {
    v: u8,
    errors: usize,
    warnings: usize,
    policies: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_set: Option<String>,
    #[serde(flatten)]
    diagnostics: Diagnostics,
}

impl Check {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let folder = self.folder.as_deref();
        let findings = find(folder)?;
        match self.format.format {
            Format::Json => stdout::print_json(&findings)?,
            Format::Text => stdout::print(&findings.words(folder))?,
        }
        Ok(Answer::yes_if(findings.errors == 0))
    }
}

fn find(folder: Option<&Path>) -> anyhow::Result<Findings> {
    let bundle = match folder {
        None => Bundle::default_set(),
        Some(folder) => match read(folder)? {
            Ok(bundle) => bundle,
            Err(refused) => return Findings::of_folder(&refused),
        },
    };
    match policies::build(bundle, 1) {
        Ok(pdp) => {
            let info = pdp.info();
            let diagnostics = info.warnings();
            Ok(Findings {
                v: 1,
                errors: 0,
                warnings: diagnostics.count(),
                policies: info.policies().len(),
                policy_set: Some(info.digest().to_owned()),
                diagnostics,
            })
        }
        Err(BuildError::Load(LoadError::Refused(diagnostics))) => Ok(Findings::refused(diagnostics)),
        Err(BuildError::Load(LoadError::Bundle(error))) => Findings::of_folder(&error),
        Err(error) => Err(anyhow!(error).context("the policies could not be checked")),
    }
}

/// Reads a folder. A lock that does not fit is said, and does not stop the check: whoever edits a policy checks first
/// and locks then.
fn read(folder: &Path) -> anyhow::Result<Result<Bundle, BundleError>> {
    match Bundle::from_dir(folder) {
        Ok(bundle) => Ok(Ok(bundle)),
        Err(error @ BundleError::Io { .. }) => Err(error.into()),
        Err(error @ (BundleError::LockMismatch(_) | BundleError::LockInvalid { .. })) => {
            stderr::say(format_args!("warning: {error}"));
            let files = unlocked(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
            Ok(Bundle::from_files(files))
        }
        Err(error) => Ok(Err(error)),
    }
}

/// The files of a folder that was read before, without its lock. Links, special files and sizes were looked at then.
fn unlocked(root: &Path) -> io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') {
                continue;
            }
            let (path, name) = (entry.path(), format!("{prefix}{name}"));
            let known = ["schema.cedarschema", "entities.json", "bundle.toml"].contains(&name.as_str());
            if fs::metadata(&path)?.is_dir() {
                folders.push((path, format!("{name}/")));
            } else if known || name.ends_with(".cedar") || name.ends_with(".links.json") {
                files.push((name, fs::read_to_string(&path)?));
            }
        }
    }
    Ok(files)
}

impl Findings {
    fn refused(diagnostics: Diagnostics) -> Self {
        let warnings = diagnostics.iter().filter(|found| found.severity == Severity::Warning).count();
        let errors = diagnostics.count().saturating_sub(warnings).max(1);
        Self { v: 1, errors, warnings, diagnostics, ..Self::default() }
    }

    /// An error of the folder as a whole, as a diagnostic.
    fn of_folder(error: &BundleError) -> anyhow::Result<Self> {
        let file = match error {
            BundleError::Settings { .. } => Some("bundle.toml"),
            BundleError::NotUtf8 { file } | BundleError::LinkOutside { file } | BundleError::SpecialFile { file } => {
                Some(file.as_str())
            }
            _ => None,
        };
        let mut diagnostic = serde_json::json!({"severity": "error", "code": "bundle", "message": error.to_string()});
        if let (Some(file), Some(object)) = (file, diagnostic.as_object_mut()) {
            object.insert("file".to_owned(), file.into());
        }
        let diagnostics = serde_json::json!({"count": 1, "diagnostics": [diagnostic]});
        Ok(Self::refused(serde_json::from_value(diagnostics)?))
    }

    fn words(&self, folder: Option<&Path>) -> String {
        let name = folder.map_or_else(|| "the built-in policies".to_owned(), |folder| folder.display().to_string());
        let mut text = String::new();
        if !self.diagnostics.is_empty() {
            text = format!("{}\n\n", Rendered { diagnostics: &self.diagnostics, folder });
        }
        let found = format!("{}, {}", count(self.errors, "error"), count(self.warnings, "warning"));
        text += &match &self.policy_set {
            Some(digest) => format!("{name}: {}, {found}, {digest}", policies_in_words(self.policies)),
            None => format!("{name}: {found}"),
        };
        clean_lines(&text).into_owned()
    }
}

fn count(n: usize, what: &str) -> String {
    match n {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

fn policies_in_words(n: usize) -> String {
    if n == 1 { "1 policy".to_owned() } else { format!("{n} policies") }
}
