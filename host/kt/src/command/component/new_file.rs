//! A file that is written whole or not at all.

use std::fs;
use std::io::{self, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cedargate::files::Distrust;
use clap::Args;

use crate::{own_file, stdout};

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
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| self.cannot()),
        }
        own_file::place(&self.file).map(drop).with_context(|| self.cannot())
    }

    /// Writes the bytes. Returns the path, where it is not standard output.
    pub(super) fn write(&self, bytes: &[u8]) -> anyhow::Result<Option<&Path>> {
        if self.is_stdout() {
            stdout::print_bytes(bytes)?;
            return Ok(None);
        }
        let (folder, name) = own_file::place(&self.file).with_context(|| self.cannot())?;
        let written = if self.force { folder.write(name, &[bytes]) } else { folder.write_new(name, &[bytes]) };
        let is_taken = |distrust: &Distrust| distrust.cause().is_some_and(|e| e.kind() == ErrorKind::AlreadyExists);
        match written {
            Err(distrust) if is_taken(&distrust) => bail!("{}", self.exists()),
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
}
