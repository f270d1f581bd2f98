//! `kt store`: the file in which tokens are kept.

mod backup;
mod check;
mod restore;

use cedargate_tokens::Checked;
use clap::Subcommand;
use serde::Serialize;

use crate::answer::Answer;
use crate::format::Format;
use crate::stdout;
use crate::token::pretty;
use crate::token::shown::seconds;

#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Copy the store to a file, while gateways use it.
    Backup(backup::Backup),
    /// Put a backup in the place of the store.
    Restore(restore::Restore),
    /// Look whether the store is sound, and whether its audit log fits its tokens.
    Check(check::Check),
}

impl Store {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        match self {
            Self::Backup(command) => command.run(),
            Self::Restore(command) => command.run(),
            Self::Check(command) => command.run(),
        }
    }
}

/// What is told of a store that was looked at.
#[derive(Serialize)]
struct Told {
    v: u8,
    in_order: bool,
    file: String,
    tokens: u64,
    revision: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_entries: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_head: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Where the file is that was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
}

impl Told {
    fn new(file: String, checked: &Checked) -> Self {
        let verified = checked.log.as_ref().ok();
        Self {
            v: 1,
            in_order: verified.is_some(),
            file,
            tokens: checked.tokens,
            revision: checked.revision,
            newest: checked.newest.map(seconds),
            audit_entries: verified.map(|verified| verified.entries),
            audit_head: verified.and_then(|verified| verified.head).map(|head| head.to_string()),
            error: checked.log.as_ref().err().map(ToString::to_string),
            kept: None,
        }
    }

    fn print(&self, format: Format) -> anyhow::Result<()> {
        if format == Format::Json {
            return stdout::print(&pretty::one_line(self)?);
        }
        let mut lines = vec![
            (if self.in_order { "in order" } else { "not in order" }).to_owned(),
            format!("file: {}", self.file),
            format!("tokens: {}", self.tokens),
            format!("revision: {}", self.revision),
        ];
        let more = [
            ("newest time", self.newest.clone()),
            ("audit entries", self.audit_entries.map(|entries| entries.to_string())),
            ("audit head", self.audit_head.clone()),
            ("error", self.error.clone()),
            ("kept", self.kept.clone()),
        ];
        lines.extend(more.into_iter().filter_map(|(what, value)| value.map(|value| format!("{what}: {value}"))));
        stdout::print(&lines.join("\n"))
    }
}
