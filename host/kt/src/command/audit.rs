//! `kt audit`: who changed what, and whether that is all.

use anyhow::Context;
use cedargate_tokens::{AuditEntry, ChainHash, Verified};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::clean::clean;
use crate::format::Format;
use crate::store::{Opened, StoreArg, block_on};
use crate::token::output::OutputArg;
use crate::token::pretty;
use crate::token::shown::seconds;
use crate::{stderr, stdout};

/// Entries that are fetched at a time.
const PAGE: u32 = 1_000;

const AFTER_HELP: &str = "\
Each entry is sealed with the hash of the one before it, and holds a digest of everything that is stored of its token but
its use. Who keeps the head, the hash of the last one, can show later that nothing before it was changed or cut off, by
whoever may write the file, too: it is printed with each change, and goes to the system's log with `--syslog`, or where
the configuration says so under `audit`.

Exit codes of `verify`: 0 in order, 1 something was changed, 2 cannot say.

Examples:
  kt audit
  kt audit --token app-production --format json
  kt audit verify --head 3f9c...";

/// Shows who changed which token, when and how.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub(crate) struct Audit {
    #[command(subcommand)]
    verify: Option<Command>,
    /// Only changes of the token with this name or id.
    #[arg(long, value_name = "NAME|ID")]
    token: Option<String>,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check every entry against the one before it, and every token against the last entry about it.
    Verify(Verify),
}

/// Checks every entry against the one before it, and every token against the last entry about it.
#[derive(Args, Debug)]
struct Verify {
    /// A head that was kept: the log must hold it.
    #[arg(long, value_name = "HASH")]
    head: Option<ChainHash>,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

impl Audit {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        if let Some(Command::Verify(verify)) = self.verify {
            return verify.run();
        }
        block_on(async {
            let opened = self.store.open().await?;
            show(&opened, self.token.as_deref(), self.output.format).await?;
            Ok(Answer::Yes)
        })
    }
}

async fn show(opened: &Opened, token: Option<&str>, format: Format) -> anyhow::Result<()> {
    let mut out = stdout::buffered();
    let mut number = 0;
    loop {
        let page = opened.tokens.audit_after(number, PAGE).await?;
        let Some(last) = page.last() else { break };
        number = last.number;
        let is_meant = |entry: &&AuditEntry| token.is_none_or(|t| entry.token_name == t || entry.token_id == t);
        for entry in page.iter().filter(is_meant) {
            let text = match format {
                Format::Text => line(entry),
                Format::Json => pretty::one_line(&Shown::new(entry)?)?,
            };
            writeln!(out, "{text}").context(stdout::CANNOT_WRITE)?;
        }
    }
    out.flush().context(stdout::CANNOT_WRITE)
}

/// An entry with its tokens as JSON, and not as text that is JSON.
#[derive(Serialize)]
struct Shown<'a> {
    number: i64,
    at: String,
    actor: &'a str,
    action: &'a str,
    token_id: &'a str,
    token_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    after: Value,
    hash: &'a ChainHash,
}

impl<'a> Shown<'a> {
    fn new(entry: &'a AuditEntry) -> anyhow::Result<Self> {
        Ok(Self {
            number: entry.number,
            at: entry.at.to_string(),
            actor: &entry.actor,
            action: &entry.action,
            token_id: &entry.token_id,
            token_name: &entry.token_name,
            before: entry.before.as_deref().map(serde_json::from_str).transpose()?,
            after: serde_json::from_str(&entry.after)?,
            hash: &entry.hash,
        })
    }
}

fn line(entry: &AuditEntry) -> String {
    let AuditEntry { number, at, actor, action, token_id, token_name, .. } = entry;
    let line = format!("{number} {} {actor} {action} {token_name:?} ({token_id}){}", seconds(*at), changes(entry));
    clean(&line).into_owned()
}

/// What is other than before, by the names of the fields.
fn changes(entry: &AuditEntry) -> String {
    let read = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let Some(before) = entry.before.as_deref().map(read) else { return String::new() };
    let after = read(&entry.after);
    let mut changed = String::new();
    for name in before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))) {
        let (old, new) = (before.get(name), after.get(name));
        // The digest of everything is another with every change.
        if old == new || name == "rows" {
            continue;
        }
        changed.push_str(if changed.is_empty() { ": " } else { ", " });
        // Secrets are a list of which one entry changed: too long for a line.
        match (name.as_str(), old, new) {
            ("secrets", ..) => changed.push_str("secrets"),
            (name, None, Some(new)) => changed.push_str(&format!("{name} {new}")),
            (name, Some(old), Some(new)) => changed.push_str(&format!("{name} {old} -> {new}")),
            (name, _, None) => changed.push_str(&format!("{name} removed")),
        }
    }
    changed
}

#[derive(Serialize)]
struct Verdict {
    v: u8,
    in_order: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<ChainHash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_head: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    covered_in_part: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Verify {
    fn run(self) -> anyhow::Result<Answer> {
        let verified = block_on(async {
            let opened = self.store.open_to_look().await?;
            Ok(opened.tokens.audit_verify(self.head).await?)
        })?;
        let verdict = match &verified {
            Ok(verified) => Verdict {
                v: 1,
                in_order: true,
                entries: Some(verified.entries),
                head: verified.head,
                after_head: verified.after_known,
                covered_in_part: Some(verified.covered_in_part).filter(|tokens| *tokens > 0),
                error: None,
            },
            Err(tampered) => Verdict {
                v: 1,
                in_order: false,
                entries: None,
                head: None,
                after_head: None,
                covered_in_part: None,
                error: Some(tampered.to_string()),
            },
        };
        if let Ok(Verified { covered_in_part: 1.., .. }) = &verified {
            stderr::say(format_args!(
                "note: {} of the tokens were last changed by a version that did not seal all of them: what of them is not \
                 covered are the hashes of their secrets beyond 12 digits, and when these were rotated; the next change of \
                 a token covers it",
                verified.as_ref().map_or(0, |verified| verified.covered_in_part)
            ));
        }
        match (self.output.format, &verified) {
            (Format::Json, _) => stdout::print(&pretty::one_line(&verdict)?)?,
            (Format::Text, Ok(verified)) => {
                let head = verified.head.map_or_else(|| "none".to_owned(), |head| head.to_string());
                let since = verified.after_known.map(|n| format!("\nentries after the given head: {n}"));
                let since = since.unwrap_or_default();
                stdout::print(&format!("in order\nentries: {}\nhead: {head}{since}", verified.entries))?;
            }
            (Format::Text, Err(tampered)) => stderr::say(format_args!("error: {}", clean(&tampered.to_string()))),
        }
        Ok(Answer::yes_if(verified.is_ok()))
    }
}
