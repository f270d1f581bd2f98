//! `kt component export`.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cedargate::Component;
use clap::Args;

use crate::answer::Answer;
use crate::{stderr, stdout};

const AFTER_HELP: &str = "\
Examples:
  kt component export cedargate.wasm
  kt component export - | sha256sum";

/// Writes the component to a file, for hosts that are not Rust.
///
/// Its contract is the WIT package `cedargate:authz`; it imports nothing.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Export {
    /// The file to write; `-` is standard output.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace the file where there is one.
    #[arg(long)]
    force: bool,
}

impl Export {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let component = Component::built_in();
        if self.file.as_os_str() == "-" {
            if io::stdout().is_terminal() {
                bail!("the component is binary: name a file, or send standard output to one");
            }
            stdout::print_bytes(component.bytes())?;
        } else {
            self.write(component.bytes())?;
            let size = component.bytes().len();
            stderr::say(format_args!("wrote {size} bytes to {}, {}", self.file.display(), component.digest()));
        }
        Ok(Answer::Yes)
    }

    fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let shown = self.file.display();
        let cannot = || format!("cannot write `{shown}`");
        match fs::symlink_metadata(&self.file) {
            Ok(there) if there.is_dir() => bail!("`{shown}` is a folder: name a file in it"),
            Ok(there) if !there.is_file() => bail!("`{shown}` is not a regular file: `-` is standard output"),
            Ok(_) if !self.force => bail!("`{shown}` exists: replace it with `--force`"),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(cannot),
        }
        let Some(name) = self.file.file_name() else { bail!("`{shown}` is not the name of a file") };
        let mut temporary = name.to_owned();
        temporary.push(format!(".{}.tmp", std::process::id()));
        let temporary = self.file.with_file_name(temporary);
        let written = write_synced(&temporary, bytes).and_then(|()| self.take_name(&temporary));
        if written.is_err() {
            // The first error is the one to report.
            let _ = fs::remove_file(&temporary);
        }
        match written {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!("`{shown}` exists: replace it with `--force`")
            }
            written => written.with_context(cannot),
        }
    }

    /// Gives the written file its name, so that a reader sees the whole file or none.
    fn take_name(&self, temporary: &Path) -> io::Result<()> {
        if !self.force {
            // Unlike a rename, a link does not replace what somebody else has written meanwhile.
            match fs::hard_link(temporary, &self.file) {
                Ok(()) => return fs::remove_file(temporary),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
                // A file system without hard links.
                Err(_) => {}
            }
        }
        fs::rename(temporary, &self.file)
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
