//! Where compiled code is kept between commands.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cedargate::{CodeCache, Compiling};

use crate::stderr;

/// The folder that was named with `--cache-dir`.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Keeps compiled code there, for as long as this process lives.
pub(crate) fn keep_in(folder: PathBuf) {
    // The command line is read once.
    let _ = FOLDER.set(folder);
}

/// The folder that was named.
pub(crate) fn folder() -> Option<&'static Path> {
    FOLDER.get().map(PathBuf::as_path)
}

/// The cache of a server, whose log says what is compiled.
pub(crate) fn of_server() -> CodeCache {
    folder().map_or_else(CodeCache::user, CodeCache::folder)
}

/// The cache of any other command, which says itself what is compiled.
pub(crate) fn of_command() -> CodeCache {
    of_server().telling(|event| match event {
        Compiling::Begins { place: Err(_) } => stderr::say(format_args!("{event}, as `--cache-dir` does")),
        event => stderr::say(format_args!("{event}")),
    })
}
