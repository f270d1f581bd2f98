//! Notices when a file or a folder changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Changed, Reloader};

/// How long nothing must change before it is read: whoever copies a folder writes file by file.
const QUIET: Duration = Duration::from_millis(200);

/// How long changes may go on before what is there is read all the same.
const QUIET_MAX: Duration = Duration::from_secs(2);

/// Watches as long as it lives.
pub(crate) struct Watch {
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches what a gateway was started with. Where that is not possible, the log says so: SIGHUP works always.
    pub(crate) fn start(reloader: &Arc<Reloader>) -> Self {
        let (file, folders) = reloader.watched();
        if file.is_none() && folders.is_empty() {
            return Self { _watcher: None };
        }
        let (changes, noticed) = mpsc::unbounded_channel();
        match watch(file.as_deref(), &folders, changes) {
            Ok(watcher) => {
                tokio::spawn(follow(Arc::clone(reloader), noticed));
                Self { _watcher: Some(watcher) }
            }
            Err(cause) => {
                tracing::warn!(%cause, "changes of files cannot be noticed: reload with SIGHUP");
                Self { _watcher: None }
            }
        }
    }
}

fn watch(
    file: Option<&Path>,
    folders: &[PathBuf],
    changes: mpsc::UnboundedSender<Changed>,
) -> notify::Result<RecommendedWatcher> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(notify::Error::io);
    let file = file.map(absolute).transpose()?;
    let folders = folders.iter().map(|folder| absolute(folder)).collect::<notify::Result<Vec<_>>>()?;
    let (watched_file, watched_folders) = (file.clone(), folders.clone());
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let Ok(event) = event else { return };
        // Reading is no change, and the gateway reads these files itself.
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        let changed = Changed {
            config: event.paths.iter().any(|path| Some(path) == watched_file.as_ref()),
            policies: event.paths.iter().any(|path| watched_folders.iter().any(|folder| path.starts_with(folder))),
        };
        if changed.config || changed.policies {
            // Nobody follows any more: the gateway ends.
            let _ = changes.send(changed);
        }
    })?;
    // A file is replaced by renaming another into its place, which only its folder notices.
    if let Some(folder) = file.as_deref().and_then(Path::parent) {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    for folder in &folders {
        watcher.watch(folder, RecursiveMode::Recursive)?;
    }
    Ok(watcher)
}

async fn follow(reloader: Arc<Reloader>, mut noticed: mpsc::UnboundedReceiver<Changed>) {
    while let Some(first) = noticed.recv().await {
        let mut all = first;
        let more = async {
            while let Ok(Some(change)) = timeout(QUIET, noticed.recv()).await {
                all.config |= change.config;
                all.policies |= change.policies;
            }
        };
        // Changes that do not end are read at some time all the same.
        let _ = timeout(QUIET_MAX, more).await;
        // What went wrong was said in the log.
        let _ = reloader.noticed(all).await;
    }
}
