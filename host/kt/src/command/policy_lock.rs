//! `kt policy lock`: the names and digests of a folder's files.

use std::path::PathBuf;

use anyhow::Context;
use cedargate::{Bundle, BundleError};
use clap::Args;
use serde::Serialize;

use crate::answer::Answer;
use crate::format::{Format, FormatArg};
use crate::{stderr, stdout};

const AFTER_HELP: &str = "\
A folder that was copied by half is a valid set that permits more. Where a folder holds `policies.lock`, it is loaded
only when its files are exactly those that the lock names, and no gateway loads a folder that holds none. Lines are as
`sha256sum --check` reads them.

Exit codes: 0 written, or up to date; 1 not up to date; 2 cannot say.

Examples:
  kt policy lock ./policies
  kt policy lock ./policies --check    # in CI";

/// Writes `policies.lock`, which names the files of a folder and their digests.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Lock {
    /// The folder of the policies.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Write nothing, and say whether the lock is up to date.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    format: FormatArg,
}

#[derive(Serialize)]
struct Locked {
    v: u8,
    path: String,
    files: usize,
    up_to_date: bool,
}

impl Lock {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        if self.check { self.compare() } else { self.write() }
    }

    fn write(&self) -> anyhow::Result<Answer> {
        let path = cedargate::write_lock(&self.folder).with_context(|| self.cannot("lock"))?;
        let files = Bundle::from_dir(&self.folder).with_context(|| self.cannot("read back"))?.files().count();
        self.print(&Locked { v: 1, path: path.display().to_string(), files, up_to_date: true }, "locked in")?;
        Ok(Answer::Yes)
    }

    fn compare(&self) -> anyhow::Result<Answer> {
        let path = self.folder.join("policies.lock");
        let (files, up_to_date) = match Bundle::from_dir(&self.folder) {
            Ok(bundle) => {
                let there = path.try_exists().with_context(|| self.cannot("read the lock of"))?;
                if !there {
                    let path = path.display();
                    stderr::say(format_args!("error: there is no `{path}`: write it with `kt policy lock`"));
                }
                (bundle.files().count(), there)
            }
            Err(error @ (BundleError::LockMismatch(_) | BundleError::LockInvalid { .. })) => {
                stderr::say(format_args!("error: {error}"));
                (0, false)
            }
            Err(error) => return Err(error).with_context(|| self.cannot("check the lock of")),
        };
        if up_to_date || self.format.format == Format::Json {
            self.print(&Locked { v: 1, path: path.display().to_string(), files, up_to_date }, "up to date in")?;
        }
        Ok(Answer::yes_if(up_to_date))
    }

    fn print(&self, locked: &Locked, how: &str) -> anyhow::Result<()> {
        match self.format.format {
            Format::Json => stdout::print_json(locked),
            Format::Text => stdout::print(&format!("{} files {how} {}", locked.files, locked.path)),
        }
    }

    fn cannot(&self, what: &str) -> String {
        format!("cannot {what} `{}`", self.folder.display())
    }
}
