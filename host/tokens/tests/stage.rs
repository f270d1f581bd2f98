use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use cedargate::model::{Request, Timestamp};
use cedargate::{Pdp, Principal};
use cedargate_tokens::{
    Actor, Clock, Directory, DirectoryOptions, Grant, Lookup, NewToken, Secret, Skew, SqliteOptions, SqliteStore,
    Store, Tokens,
};
use tempfile::TempDir;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

static PDP: LazyLock<Pdp> = LazyLock::new(|| Pdp::builder().deadline(Duration::from_secs(10)).build().unwrap());

pub(crate) struct Stage {
    pub(crate) folder: Folder,
    pub(crate) sqlite: SqliteStore,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) directory: Directory<Principal>,
    pub(crate) tokens: Tokens,
}

pub(crate) enum Folder {
    Own(TempDir),
    Others(PathBuf),
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Own(folder) => folder.path(),
            Self::Others(path) => path,
        }
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap()).await
    }

    pub(crate) async fn in_folder(folder: TempDir) -> Self {
        Self::open(Folder::Own(folder)).await
    }

    /// In a folder that belongs to another process.
    pub(crate) async fn in_existing(folder: &Path) -> Self {
        Self::open(Folder::Others(folder.to_path_buf())).await
    }

    async fn open(folder: Folder) -> Self {
        let sqlite = SqliteStore::open(folder.path().join("tokens.db"), SqliteOptions::default()).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(sqlite.clone());
        let clock = Arc::new(Clock::start(&*store, Skew::Refuse).await.unwrap());
        let directory = Directory::start(Arc::clone(&store), DirectoryOptions::default()).await.unwrap();
        let actor = Actor::new("local:tester").unwrap();
        let tokens = Tokens::new(Arc::clone(&store), Arc::clone(&clock), actor).notifying(&directory);
        Self { folder, sqlite, store, clock, directory, tokens }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("tokens.db")
    }

    /// Ends everything that is open, and keeps the folder.
    pub(crate) async fn close(self) -> TempDir {
        self.sqlite.close().await;
        match self.folder {
            Folder::Own(folder) => folder,
            Folder::Others(_) => panic!("the folder belongs to another process"),
        }
    }

    /// A general token, and the text of its secret.
    pub(crate) async fn create(&self, name: &str) -> String {
        let created = self.tokens.create(NewToken::new(name, Grant::general())).await.unwrap();
        created.secret.expose().to_owned()
    }

    /// What the gateway answers to this secret now.
    pub(crate) fn ask(&self, secret: &str) -> String {
        self.ask_at(secret, self.clock.now())
    }

    /// What the gateway answers to this secret at another time.
    pub(crate) fn ask_at(&self, secret: &str, at: Timestamp) -> String {
        answer(&self.directory, secret, "gpt-4o", at)
    }
}

/// The whole way of a request: look-up, preparation, decision.
pub(crate) fn answer(directory: &Directory<Principal>, secret: &str, model: &str, at: Timestamp) -> String {
    let entry = match directory.present(secret) {
        Ok(Lookup::Found(entry)) => entry,
        Ok(Lookup::Unknown) => return "401 token_unknown".to_owned(),
        Ok(Lookup::Unavailable) => return "503".to_owned(),
        Err(_) => return "401 token_malformed".to_owned(),
    };
    let principal = entry.prepared(|entry| PDP.principal(&entry.profile().unwrap())).unwrap();
    let mut request = Request::new("chat.completions");
    request.provider = Some("openai".to_owned());
    request.model = Some(model.to_owned());
    let decision = PDP.decide(principal, &request, at);
    match decision.code() {
        None => decision.status().to_string(),
        Some(code) => format!("{} {code}", decision.status()),
    }
}

pub(crate) fn later(at: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_millis(at.as_millis() + seconds * 1_000)
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::parse(text).unwrap()
}

/// Looks again and again until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
