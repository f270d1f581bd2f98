//! The files that are replayed, plain or compressed.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::lines::Lines;
use super::progress::Counter;

/// How a file begins that gzip wrote.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Something to read records from.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Input {
    /// The input that an argument names.
    pub(crate) fn from_argument(argument: PathBuf) -> Self {
        if argument.as_os_str() == "-" { Self::Stdin } else { Self::File(argument) }
    }

    /// How it is called in messages.
    pub(crate) fn name(&self) -> Arc<str> {
        match self {
            Self::Stdin => "stdin".into(),
            Self::File(path) => path.display().to_string().into(),
        }
    }

    /// Its size in bytes, where that is known.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::Stdin => None,
            Self::File(path) => path.metadata().ok().filter(|data| data.is_file()).map(|data| data.len()),
        }
    }

    /// Opens it. What was compressed by gzip is recognised by its first bytes, whatever its name is.
    pub(crate) fn open(&self, counter: Counter) -> io::Result<Lines<Box<dyn Read>>> {
        let raw: Box<dyn Read> = match self {
            Self::Stdin => Box::new(io::stdin()),
            Self::File(path) => Box::new(open(path)?),
        };
        let mut counted = Counted { raw, counter };
        let mut start = Vec::with_capacity(GZIP_MAGIC.len());
        counted.by_ref().take(2).read_to_end(&mut start)?;
        let compressed = start == GZIP_MAGIC;
        let whole = Cursor::new(start).chain(counted);
        Ok(Lines::new(if compressed {
            Box::new(MultiGzDecoder::new(io::BufReader::new(whole)))
        } else {
            Box::new(whole)
        }))
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder: name the files in it"));
    }
    Ok(file)
}

/// Counts what is read from the disk, for the progress bar.
struct Counted {
    raw: Box<dyn Read>,
    counter: Counter,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.raw.read(buffer)?;
        self.counter.add(read);
        Ok(read)
    }
}
