//! Recording: every decision as a request record, and every policy set that made one, once.
//!
//! Beside `FILE` lies the folder `FILE.bundles` with one bundle for each policy set, named by its digest, so that
//! `kt replay FILE` decides each record with the rules that decided it then.
//!
//! The file grows up to a bound, beyond which records are dropped, counted and said to be. Whoever moves the file away
//! and sends SIGHUP gets a new one.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use cedargate::files::{Distrust, Folder};
use cedargate::model::{Expect, ExpectedDecision, Profile, Record, Request, Timestamp};
use cedargate::{Bundle, Decision};
use cedargate_tokens::{is_file_of_store, is_same_file};

use crate::config::Config;

/// Records that wait to be written.
const QUEUE: usize = 16_384;

/// How long a written record may stay in memory.
const FLUSH_EVERY: Duration = Duration::from_millis(200);

/// Why nothing can be recorded.
#[derive(Debug, thiserror::Error)]
#[error("cannot record to `{}`: {cause}", path.display())]
pub struct RecordingError {
    path: PathBuf,
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Place(#[from] Distrust),
    #[error(transparent)]
    Thread(#[from] io::Error),
    #[error("it is not the name of a file")]
    Name,
    #[error("there is no recording to standard output: name a file")]
    Stdout,
    #[error("it is {0}, which records would destroy: name another file")]
    Taken(&'static str),
}

/// Files that records must not be appended to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Apart {
    /// Where tokens are kept.
    pub(crate) store: Option<PathBuf>,
    /// Where the configuration was read from.
    pub(crate) config: Option<PathBuf>,
}

impl Apart {
    /// Whether what a configuration records to is none of them, and nothing that it reads.
    pub(crate) fn check(&self, config: &Config) -> Result<(), RecordingError> {
        let Some(path) = config.record.as_deref() else { return Ok(()) };
        let stores = [self.store.as_deref(), config.store.as_deref()];
        let is_read = |file: &PathBuf| is_same_file(path, file);
        let cause = if path == Path::new("-") {
            Cause::Stdout
        } else if stores.into_iter().flatten().any(|store| is_file_of_store(path, store)) {
            Cause::Taken("the token store, or a file that is kept beside it")
        } else if self.config.as_ref().is_some_and(is_read) {
            Cause::Taken("the configuration")
        } else if config.certificate_files().iter().any(is_read) {
            Cause::Taken("a certificate or its key")
        } else {
            return Ok(());
        };
        Err(RecordingError { path: path.to_owned(), cause })
    }
}

/// Checks that a gateway with this configuration, of this file, may record to where it says: not to the file of a store,
/// to the configuration, or to another file that it reads.
///
/// # Errors
///
/// [`RecordingError`].
pub fn check_record(config: &Config, config_path: Option<&Path>, store: Option<&Path>) -> Result<(), RecordingError> {
    Apart { store: store.map(Path::to_owned), config: config_path.map(Path::to_owned) }.check(config)
}

/// A decision that was made.
pub(crate) struct Made {
    pub(crate) id: Arc<str>,
    pub(crate) at: Timestamp,
    pub(crate) profile: Profile,
    pub(crate) request: Request,
    pub(crate) expect: Expect,
    pub(crate) policy_set: String,
}

impl Made {
    pub(crate) fn new(id: Arc<str>, at: Timestamp, profile: Profile, request: Request, decision: &Decision) -> Self {
        let (expected, status) = match decision.is_allow() {
            true => (ExpectedDecision::Allow, None),
            false => (ExpectedDecision::Deny, Some(decision.status())),
        };
        let mut expect = Expect::new(expected);
        expect.status = status;
        expect.code = decision.code().map(str::to_owned);
        expect.policies = Some(decision.policies().map(str::to_owned).collect());
        Self { id, at, profile, request, expect, policy_set: decision.policy_set().to_owned() }
    }
}

enum Message {
    Made(Box<Made>),
    /// This bundle is in force from now on, under this digest.
    Bundle(String, Box<Bundle>),
    /// The file may be another one now.
    Reopen,
}

/// Writes records on a thread of its own.
pub(crate) struct Recording {
    queue: Option<SyncSender<Message>>,
    writer: Option<JoinHandle<()>>,
    counts: Arc<Counts>,
}

/// What the writer and whoever records tell each other.
#[derive(Default)]
struct Counts {
    dropped: AtomicU64,
    /// Bytes that the file may have.
    bytes_max: AtomicU64,
}

impl Counts {
    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl Recording {
    /// Begins to append to a file, which grows to so many bytes at most.
    pub(crate) fn start(path: &Path, bytes_max: u64) -> Result<Self, RecordingError> {
        Self::start_in(path, bytes_max).map_err(|cause| RecordingError { path: path.to_owned(), cause })
    }

    fn start_in(path: &Path, bytes_max: u64) -> Result<Self, Cause> {
        let counts = Arc::new(Counts { bytes_max: bytes_max.into(), ..Counts::default() });
        let mut writer = Writer::open(path, Arc::clone(&counts))?;
        let (queue, messages) = sync_channel(QUEUE);
        let writer = thread::Builder::new().name("recording".to_owned()).spawn(move || writer.run(&messages))?;
        Ok(Self { queue: Some(queue), writer: Some(writer), counts })
    }

    /// The file grows to so many bytes at most from now on.
    pub(crate) fn bound(&self, bytes_max: u64) {
        self.counts.bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// Goes on in the file that has the name now: another one, where it was moved away. Does not wait.
    pub(crate) fn reopen(&self) {
        if self.queue.as_ref().is_some_and(|queue| queue.try_send(Message::Reopen).is_err()) {
            tracing::error!("the recording is not opened again, since too much waits to be written: ask once more");
        }
    }

    /// A bundle is in force: whoever replays needs it. Waits until the writer has room.
    pub(crate) fn bundle(&self, digest: &str, bundle: &Bundle) {
        if let Some(queue) = &self.queue {
            // A writer that has ended has said so.
            let _ = queue.send(Message::Bundle(digest.to_owned(), Box::new(bundle.clone())));
        }
    }

    /// Records a decision, without waiting: where the disk is too slow, it is dropped and counted.
    pub(crate) fn made(&self, made: Made) {
        let sent = self.queue.as_ref().is_some_and(|queue| queue.try_send(Message::Made(Box::new(made))).is_ok());
        if !sent && self.counts.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!("records are dropped: the disk is too slow, or cannot be written");
        }
    }

    /// How many records were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Recording {
    /// Writes what is waiting.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the thread that records ended early");
        }
        let dropped = self.dropped();
        if dropped > 0 {
            tracing::warn!(dropped, "the recording lacks records that were dropped");
        }
    }
}

/// The folder of the bundles beside a file of records.
fn bundles_of(name: &OsStr) -> OsString {
    let mut name = name.to_owned();
    name.push(".bundles");
    name
}

struct Writer {
    file: BufWriter<File>,
    path: PathBuf,
    bundles: PathBuf,
    kept: HashSet<String>,
    /// The bundle in force, which every file of records needs.
    current: Option<(String, Box<Bundle>)>,
    /// Bytes of the file, with those that are still in memory.
    bytes: u64,
    /// Since when the file is full, and when that was last looked at.
    full: Option<Instant>,
    counts: Arc<Counts>,
}

impl Writer {
    fn open(path: &Path, counts: Arc<Counts>) -> Result<Self, Cause> {
        // Records name tokens and addresses: they are for their owner.
        let name = path.file_name().ok_or(Cause::Name)?;
        let folder = Folder::open(path.parent().unwrap_or(Path::new("")))?;
        let file = folder.append(name)?;
        let bundles = folder.folder(&bundles_of(name))?.path().to_owned();
        Ok(Self {
            bytes: file.metadata()?.len(),
            file: BufWriter::new(file),
            path: path.to_owned(),
            bundles,
            kept: HashSet::new(),
            current: None,
            full: None,
            counts,
        })
    }

    /// Goes on in the file of this name, with the bundle in force beside it. Where it cannot be opened, the one before
    /// is written on.
    fn reopen(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let next = match Self::open(&self.path, Arc::clone(&self.counts)) {
            Ok(next) => next,
            Err(cause) => {
                let path = self.path.display();
                tracing::error!(%path, %cause, "the recording is not begun anew: the file before is written on");
                return Ok(());
            }
        };
        let was_full = self.full.is_some();
        *self = Self { current: self.current.take(), ..next };
        if was_full {
            tracing::info!(dropped = self.counts.dropped.load(Ordering::Relaxed), "records are written again");
        }
        match self.current.take() {
            Some((digest, bundle)) => self.keep(digest, bundle),
            None => Ok(()),
        }
    }

    /// Whether so many bytes may be added.
    fn has_room(&mut self, bytes: u64) -> io::Result<bool> {
        let bytes_max = self.counts.bytes_max.load(Ordering::Relaxed);
        let fits = |held: u64| held.saturating_add(bytes) <= bytes_max;
        if fits(self.bytes) {
            return Ok(true);
        }
        if self.full.is_some_and(|looked_at| looked_at.elapsed() < FLUSH_EVERY) {
            return Ok(false);
        }
        // Somebody may have cut it short.
        self.file.flush()?;
        self.bytes = self.file.get_ref().metadata()?.len();
        let was_full = self.full.take().is_some();
        if fits(self.bytes) {
            return Ok(true);
        }
        self.full = Some(Instant::now());
        if !was_full {
            let path = self.path.display();
            tracing::error!(%path, bytes_max, "the recording has no room: records are dropped until the file is moved away and SIGHUP is sent, or `record_bytes` is raised");
        }
        Ok(false)
    }

    fn run(&mut self, messages: &Receiver<Message>) {
        loop {
            let done = match messages.recv_timeout(FLUSH_EVERY) {
                Ok(Message::Made(made)) => self.write(*made).inspect_err(|_| self.counts.drop_one()),
                Ok(Message::Bundle(digest, bundle)) => self.keep(digest, bundle),
                Ok(Message::Reopen) => self.reopen(),
                Err(RecvTimeoutError::Timeout) => self.file.flush(),
                Err(RecvTimeoutError::Disconnected) => {
                    let _ = self.file.flush().inspect_err(|cause| self.complain(cause));
                    return;
                }
            };
            if let Err(cause) = done {
                self.complain(&cause);
            }
        }
    }

    fn complain(&self, cause: &io::Error) {
        tracing::error!(path = %self.path.display(), %cause, "a record is lost");
    }

    fn write(&mut self, made: Made) -> io::Result<()> {
        let Made { id, at, profile, request, expect, policy_set } = made;
        let record = Record::new(&*id, at, &profile, &request).map_err(io::Error::other)?;
        let record = record.with_policy_set(policy_set).with_expect(expect);
        let mut line = record.to_line().map_err(io::Error::other)?;
        line.push('\n');
        let bytes = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if !self.has_room(bytes)? {
            self.counts.drop_one();
            return Ok(());
        }
        self.file.write_all(line.as_bytes())?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Keeps a bundle, now and beside every file that follows.
    fn keep(&mut self, digest: String, bundle: Box<Bundle>) -> io::Result<()> {
        let kept = self.write_bundle(&digest, &bundle);
        self.current = Some((digest, bundle));
        kept
    }

    /// Writes a bundle whole or not at all, so that a folder that is there can be believed.
    fn write_bundle(&mut self, digest: &str, bundle: &Bundle) -> io::Result<()> {
        let name = digest.replace(':', "-");
        let folder = self.bundles.join(&name);
        if !self.kept.insert(name.clone()) || folder.is_dir() {
            return Ok(());
        }
        let half = self.bundles.join(format!(".{name}.{}", std::process::id()));
        if half.is_dir() {
            fs::remove_dir_all(&half)?;
        }
        for (name, text) in bundle.files() {
            let path = half.join(name);
            DirBuilder::new().recursive(true).mode(0o700).create(path.parent().unwrap_or(&half))?;
            write_private(&path, text)?;
        }
        write_private(&half.join("policies.lock"), &bundle.lock_text())?;
        fs::rename(&half, &folder).or_else(|error| if folder.is_dir() { fs::remove_dir_all(&half) } else { Err(error) })
    }
}

/// Writes a new file that its owner alone may read, whatever the umask says.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}
