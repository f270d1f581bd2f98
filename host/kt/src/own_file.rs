//! Files that a command writes: for who runs it alone, and never through a link.

use std::ffi::OsStr;
use std::path::Path;

use cedargate::files::{Distrust, Folder};

/// The folder of a file, where nobody else can replace what lies there, and the file's name in it.
pub(crate) fn place(path: &Path) -> Result<(Folder, &OsStr), Distrust> {
    let folder = Folder::open(path.parent().unwrap_or(Path::new("")))?;
    Ok((folder, path.file_name().unwrap_or_default()))
}

/// Writes a file whole or not at all, in the place of the one that is there.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Distrust> {
    let (folder, name) = place(path)?;
    folder.write(name, &[bytes])
}
