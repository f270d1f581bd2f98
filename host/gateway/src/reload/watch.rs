//! Notices when a file or a folder is not the one that it was, by looking.
//!
//! What a system tells of changes, it tells of a folder that was there when it was asked. Deploys rename folders, swap
//! the links that lead to them and mount others over them, and file systems on a network tell nothing: so what lies
//! at the path is looked at, again and again, and compared with what lay there before, whichever is newer.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cedargate::{BundleError, FolderStamp};
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::sleep;

use super::{Changed, Reloader};
use crate::certificates;
use crate::config::{CONFIG_BYTES_MAX, Config};

/// How often is looked: a change is in force a moment later, and a look costs one call to the system for each file.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long nothing must change before it is read: whoever copies a folder writes file by file. Where a lock says
/// what is whole, this only keeps the log from naming each file of a copy.
const STILL_FOR: Duration = Duration::from_millis(300);

/// The same where nothing else says what is whole: a copy over a network stops for moments.
const STILL_FOR_UNLOCKED: Duration = Duration::from_secs(2);

/// What there is to look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    config: Option<PathBuf>,
    policies: Option<PathBuf>,
    shadow: Option<PathBuf>,
    unlocked: bool,
    certificates: Vec<PathBuf>,
}

impl Watched {
    /// What a gateway with this configuration reads again when it changes.
    pub(crate) fn of(config: &Config, path: Option<&Path>) -> Self {
        let (policies, shadow) = (config.policies.clone(), config.shadow.clone());
        let certificates = config.certificate_files();
        Self { config: path.map(Path::to_owned), policies, shadow, unlocked: config.unlocked, certificates }
    }

    /// Looks at all of it.
    pub(crate) fn look(&self) -> Sights {
        let folder = |path: &PathBuf| (path.clone(), of_folder(path));
        let folders = [&self.policies, &self.shadow].into_iter().flatten().map(folder).collect();
        Sights {
            config: self.config.as_deref().map(of_file),
            folders,
            policies: self.policies.clone(),
            certificates: certificates::look(&self.certificates),
        }
    }
}

/// What was seen at one time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sights {
    config: Option<Sight<Vec<u8>>>,
    folders: BTreeMap<PathBuf, Sight<FolderStamp>>,
    /// Which of the folders holds the policies in force.
    policies: Option<PathBuf>,
    /// What the certificates and their keys are, in short.
    certificates: u64,
}

/// What is at a path.
#[derive(Debug, PartialEq, Eq)]
enum Sight<T> {
    /// It is there, and looks so.
    There(T),
    /// Nothing is there.
    Gone,
    /// It cannot be looked at, for this reason.
    Unclear(String),
}

fn of_folder(path: &Path) -> Sight<FolderStamp> {
    match FolderStamp::of(path) {
        Ok(stamp) => Sight::There(stamp),
        Err(BundleError::Io { path: place, cause, .. }) if cause.kind() == ErrorKind::NotFound && place == path => {
            Sight::Gone
        }
        Err(error) => Sight::Unclear(error.to_string()),
    }
}

fn of_file(path: &Path) -> Sight<Vec<u8>> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // What is no file is read once: a pipe would be waited for, and is empty afterwards.
        if fs::metadata(path)?.is_file() {
            File::open(path)?.take(CONFIG_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Sight::There(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => Sight::Gone,
        Err(error) => Sight::Unclear(error.to_string()),
    }
}

impl Sights {
    /// What is there and is not what was seen before.
    fn since(&self, before: &Self) -> Changed {
        let is_other = |folder: &PathBuf| match self.folders.get(folder) {
            None | Some(Sight::Gone) => false,
            now => now != before.folders.get(folder),
        };
        Changed {
            config: self.config != before.config && self.config != Some(Sight::Gone),
            policies: self.policies.as_ref().is_some_and(is_other),
            shadow: self.folders.keys().filter(|folder| Some(*folder) != self.policies.as_ref()).any(is_other),
            certificates: self.certificates != before.certificates,
        }
    }

    /// Says what is gone, once.
    fn tell_gone(&self, before: &Self) {
        for (path, _) in self.folders.iter().filter(|(_, sight)| **sight == Sight::Gone) {
            if before.folders.get(path) != Some(&Sight::Gone) {
                let folder = path.display();
                tracing::warn!(%folder, "the folder of policies is gone: what was in force stays in force");
            }
        }
        if self.config == Some(Sight::Gone) && before.config != Some(Sight::Gone) {
            tracing::warn!("the file of the configuration is gone: what was in force stays in force");
        }
    }
}

/// Looks as long as it lives.
pub(crate) struct Watch {
    looking: AbortHandle,
}

impl Watch {
    /// Looks at what a gateway was started with, and was seen so before it was read.
    pub(crate) fn start(reloader: &Arc<Reloader>, seen: Sights) -> Self {
        Self { looking: tokio::spawn(follow(Arc::clone(reloader), seen)).abort_handle() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

async fn follow(reloader: Arc<Reloader>, mut known: Sights) {
    loop {
        sleep(LOOK_EVERY).await;
        let Some(now) = look(&reloader).await else { continue };
        if now == known {
            continue;
        }
        let Some(now) = still(&reloader, now).await else { continue };
        now.tell_gone(&known);
        let changed = now.since(&known);
        known = now;
        if changed != Changed::default() {
            // What went wrong is said in the log.
            reloader.noticed(changed).await;
        }
    }
}

/// What is there once it changes no more.
async fn still(reloader: &Reloader, mut seen: Sights) -> Option<Sights> {
    loop {
        sleep(if reloader.watched().unlocked { STILL_FOR_UNLOCKED } else { STILL_FOR }).await;
        let now = look(reloader).await?;
        if now == seen {
            return Some(now);
        }
        seen = now;
    }
}

/// Looks, on a thread that may wait for a disk. Nothing is seen only where the gateway ends.
async fn look(reloader: &Reloader) -> Option<Sights> {
    let watched = reloader.watched();
    spawn_blocking(move || watched.look()).await.ok()
}
