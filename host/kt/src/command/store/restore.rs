//! `kt store restore`.

use std::path::PathBuf;

use cedargate_tokens::{Lost, restore};
use clap::Args;

use super::Told;
use crate::answer::Answer;
use crate::clean::clean;
use crate::stderr;
use crate::store::{StoreArg, block_on, who};
use crate::token::output::OutputArg;

/// Tokens of a kind that are named: a terminal holds as many.
const TOLD_MAX: usize = 20;

const AFTER_HELP: &str = "\
What was revoked since the backup stays revoked, as far as the file that is there can be read; everything else is as it
was then, and what is lost is said. The backup is checked first. Gateways that use the store have to be ended: while one has it open, nothing is changed.
The file that was there is kept beside it, as `FILE.replaced-TIME`.

Examples:
  kt store restore /backup/tokens-2026-04-23.db
  kt store restore --store /var/lib/cedargate/tokens.db /backup/tokens.db";

/// Puts a backup in the place of the store.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Restore {
    /// The backup.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

impl Restore {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        block_on(async {
            let path = self.store.path()?;
            let restored = restore(&self.file, &path, &who()?).await?;
            match &restored.lost {
                Some(lost) => tell(lost),
                None if restored.kept.is_some() => stderr::say(format_args!(
                    "the store that was there cannot be read: whatever was changed or revoked since the backup is not"
                )),
                None => {}
            }
            if let Some((first, last)) = restored.unread {
                stderr::say(format_args!(
                    "changes {first} to {last} of the store are known to have been made and cannot be read: what was \
                     revoked in them is not revoked here; revoke it again"
                ));
            }
            let mut told = Told::new(path.display().to_string(), &restored.checked);
            told.kept = restored.kept.map(|kept| kept.display().to_string());
            told.print(self.output.format)?;
            Ok(Answer::Yes)
        })
    }
}

/// Says what is lost.
fn tell(lost: &Lost) {
    let Lost { changes, made, changed, revoked } = lost;
    stderr::say(format_args!("changes since the backup: {changes}"));
    for (what, tokens) in [
        ("lost, its keys are unknown now", made),
        ("as it was at the backup", changed),
        ("revoked since, and revoked again", revoked),
    ] {
        for (name, id) in tokens.iter().take(TOLD_MAX) {
            stderr::say(format_args!("{what}: {} ({id})", clean(name)));
        }
        if let Some(more) = tokens.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
            stderr::say(format_args!("{what}: {more} more"));
        }
    }
}
