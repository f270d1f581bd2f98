//! A file that is written whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use crate::stdout;

/// The file that a command writes.
#[derive(Args, Debug)]
pub(super) struct NewFile {
    /// The file to write; `-` is standard output.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace the file where there is one.
    #[arg(long)]
    force: bool,
}

impl NewFile {
    /// Refuses, before any work is done, what could not be written after it.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let shown = self.file.display();
        if self.is_stdout() {
            if io::stdout().is_terminal() {
                bail!("what is written is binary: name a file, or send standard output to one");
            }
            return Ok(());
        }
        if self.file.file_name().is_none() {
            bail!("`{shown}` is not the name of a file");
        }
        match fs::symlink_metadata(&self.file) {
            Ok(there) if there.is_dir() => bail!("`{shown}` is a folder: name a file in it"),
            Ok(there) if !there.is_file() => bail!("`{shown}` is not a regular file: `-` is standard output"),
            Ok(_) if !self.force => bail!("{}", self.exists()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).with_context(|| self.cannot()),
        }
    }

    /// Writes the bytes. Returns the path, where it is not standard output.
    pub(super) fn write(&self, bytes: &[u8]) -> anyhow::Result<Option<&Path>> {
        if self.is_stdout() {
            stdout::print_bytes(bytes)?;
            return Ok(None);
        }
        let mut temporary = self.file.file_name().unwrap_or_default().to_owned();
        temporary.push(format!(".{}.tmp", std::process::id()));
        let temporary = self.file.with_file_name(temporary);
        let written = write_synced(&temporary, bytes).and_then(|()| self.take_name(&temporary));
        if written.is_err() {
            // The first error is the one to report.
            let _ = fs::remove_file(&temporary);
        }
        match written {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!("{}", self.exists()),
            written => written.with_context(|| self.cannot())?,
        }
        Ok(Some(&self.file))
    }

    fn is_stdout(&self) -> bool {
        self.file.as_os_str() == "-"
    }

    fn exists(&self) -> String {
        format!("`{}` exists: replace it with `--force`", self.file.display())
    }

    fn cannot(&self) -> String {
        format!("cannot write `{}`", self.file.display())
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
