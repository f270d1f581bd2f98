use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cedargate::Principal;
use cedargate::model::Timestamp;
use cedargate_tokens::{
    Actor, Clock, ClockError, Directory, DirectoryOptions, Event, EventFilter, Grant, NewToken, Recorder,
    RecorderOptions, Selector, Skew, SqliteOptions, SqliteStore, Store, StoreError, TokenError, Tokens, Verdict,
};

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::stage::{PATIENCE, Stage, answer, later, until};

async fn refused(path: &Path) -> StoreError {
    SqliteStore::open(path, SqliteOptions::default()).await.unwrap_err()
}

#[tokio::test]
async fn the_files_are_the_owners_alone() {
    let stage = Stage::new().await;
    stage.create("app").await;
    for entry in fs::read_dir(stage.folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn a_place_that_others_can_reach_is_refused() {
    let stage = Stage::new().await;
    let path = stage.path();
    let folder = stage.close().await;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused(&path).await.to_string().contains("chmod 600"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(refused(&path).await.to_string().contains("chmod go-w"));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    SqliteStore::open(&path, SqliteOptions::default()).await.unwrap();
}

#[tokio::test]
async fn what_is_no_store_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "these are notes, not a database, and they are long enough to have a header\n".repeat(100))
        .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(refused(&path).await, StoreError::Foreign { .. }));
    assert!(fs::read_to_string(&path).unwrap().starts_with("these are notes"));
    assert!(matches!(refused(folder.path()).await, StoreError::Place { .. }));
    let missing = SqliteOptions { create: false, ..SqliteOptions::default() };
    let error = SqliteStore::open(folder.path().join("none.db"), missing).await.unwrap_err();
    assert!(error.to_string().contains("kt tokens create"), "{error}");
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let stage = Stage::new().await;
    let path = stage.path();
    let folder = stage.close().await;
    let mut bytes = fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&path, bytes).unwrap();
    assert!(matches!(refused(&path).await, StoreError::Newer { found: 99, .. }));
    drop(folder);
}

#[tokio::test]
async fn a_damaged_store_is_refused_and_says_so() {
    let stage = Stage::new().await;
    for n in 0..50 {
        stage.create(&format!("app-{n}")).await;
    }
    let path = stage.path();
    let folder = stage.close().await;
    let mut bytes = fs::read(&path).unwrap();
    for byte in bytes.iter_mut().skip(4096) {
        *byte ^= 0x5a;
    }
    fs::write(&path, bytes).unwrap();
    // The first page is whole: what stands behind it is noticed as soon as it is read.
    let failed = match SqliteStore::open(&path, SqliteOptions::default()).await {
        Ok(store) => {
            let store: Arc<dyn Store> = Arc::new(store);
            Directory::<Principal>::start(store, DirectoryOptions::default()).await.unwrap_err()
        }
        Err(error) => error,
    };
    assert!(matches!(failed, StoreError::Corrupt), "{failed}");
    drop(folder);
}

#[tokio::test]
async fn a_store_that_may_only_be_read_is_read_and_not_changed() {
    let stage = Stage::new().await;
    let secret = stage.create("app").await;
    let path = stage.path();
    let read_only = SqliteOptions { read_only: true, ..SqliteOptions::default() };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, read_only).await.unwrap());
    let clock = Arc::new(Clock::start(&*store, Skew::Refuse).await.unwrap());
    let directory = Directory::start(Arc::clone(&store), DirectoryOptions::default()).await.unwrap();
    assert_eq!(answer(&directory, &secret, "gpt-4o", clock.now()), "200");
    let tokens = Tokens::new(Arc::clone(&store), Arc::clone(&clock), Actor::new("local:tester").unwrap());
    let error = tokens.revoke(&Selector::Name("app".to_owned()), None).await.unwrap_err();
    assert!(matches!(error, TokenError::Store(StoreError::ReadOnly)), "{error}");
    let recorder = Recorder::start(store, RecorderOptions::default());
    let mut event = Event::new("req_1", clock.now(), "chat.completions", Verdict::Allow);
    event.token_id = Some("tok_a".into());
    recorder.record(event);
    assert!(matches!(recorder.flush().await, Err(StoreError::ReadOnly)));
}

/// Does something with the file that no store does.
async fn meddle(path: &Path, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_full_store_says_so_and_keeps_what_was_acknowledged() {
    const EVENTS: usize = 300;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.db");
    let bounded = SqliteOptions { bytes_max: Some(640 << 10), ..SqliteOptions::default() };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, bounded).await.unwrap());
    meddle(&path, "CREATE TABLE ballast AS SELECT zeroblob(393216) AS bytes").await;
    let clock = Arc::new(Clock::start(&*store, Skew::Refuse).await.unwrap());
    let tokens = Tokens::new(Arc::clone(&store), clock, Actor::new("local:tester").unwrap());
    let mut acknowledged = Vec::new();
    let error = loop {
        let name = format!("app-{}", acknowledged.len());
        match tokens.create(NewToken::new(name, Grant::general())).await {
            Ok(created) => acknowledged.push(created.secret.expose().to_owned()),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 100_000);
    };
    assert!(matches!(error, TokenError::Store(StoreError::Full)), "{error}");
    let recorder = Recorder::start(Arc::clone(&store), RecorderOptions::default());
    for n in 0..EVENTS {
        recorder.record(Event::new(format!("req_{n}"), tokens.now(), "chat.completions", Verdict::Allow));
    }
    assert!(matches!(recorder.flush().await, Err(StoreError::Full)));
    let refused = format!("app-{}", acknowledged.len());
    assert!(matches!(
        tokens.create(NewToken::new(refused, Grant::general())).await,
        Err(TokenError::Store(StoreError::Full))
    ));

    // Whoever was told so goes on once somebody makes room, and what was recorded meanwhile is written.
    meddle(&path, "DELETE FROM ballast").await;
    let created = tokens.create(NewToken::new("roomy", Grant::general())).await.unwrap();
    acknowledged.push(created.secret.expose().to_owned());
    recorder.flush().await.unwrap();
    assert_eq!(store.events(&EventFilter::default(), None, 1_000).await.unwrap().len(), EVENTS);
    // What was acknowledged is there for everybody.
    let stage = Stage::in_folder(folder).await;
    assert!(acknowledged.iter().all(|secret| stage.ask(secret) == "200"));
    assert!(stage.tokens.audit_verify(None).await.unwrap().is_ok());
    stage.create("one-more").await;
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_not_an_unknown_token() {
    let stage = Stage::new().await;
    let secret = stage.create("app").await;
    let quick = DirectoryOptions { poll_every: Duration::from_millis(10), stale_after: Duration::from_millis(500) };
    let directory = Directory::start(Arc::clone(&stage.store), quick).await.unwrap();
    let ask = |text: &str| answer(&directory, text, "gpt-4o", stage.clock.now());
    assert_eq!(ask(&secret), "200");
    let away = stage.folder.path().join("away.db");
    fs::rename(stage.path(), &away).unwrap();
    until("503", async || ask(&secret) == "503").await;
    assert_eq!(ask("sk-unknown"), "503");
    fs::rename(&away, stage.path()).unwrap();
    until("an answer", async || ask(&secret) == "200").await;
    assert_eq!(ask("sk-unknown"), "401 token_unknown");
}

#[tokio::test]
async fn a_store_that_was_replaced_is_noticed() {
    let stage = Stage::new().await;
    let copy = stage.folder.path().join("copy.db");
    fs::copy(stage.path(), &copy).unwrap();
    fs::rename(&copy, stage.path()).unwrap();
    let error = stage.tokens.create(NewToken::new("app", Grant::general())).await.unwrap_err();
    assert!(error.to_string().contains("another file has taken its place"), "{error}");
}

#[tokio::test]
async fn a_clock_that_was_set_back_is_refused() {
    let stage = Stage::new().await;
    // As if the clock had been right until now, and is two months behind at the next start.
    let future = later(stage.clock.now(), 60 * 86_400);
    let recorder = Recorder::start(Arc::clone(&stage.store), RecorderOptions::default());
    let mut event = Event::new("req_1", future, "chat.completions", Verdict::Allow);
    event.token_id = Some("tok_a".into());
    recorder.record(event);
    recorder.flush().await.unwrap();
    let error = Clock::start(&*stage.store, Skew::Refuse).await.unwrap_err();
    assert!(matches!(error, ClockError::Behind { newest, .. } if newest == future), "{error}");
    assert!(error.to_string().contains("--accept-clock"));
    // Who ends a token is not kept from it.
    let clock = Clock::start(&*stage.store, Skew::Follow).await.unwrap();
    assert!(clock.now() >= future);
    let clock = Clock::start(&*stage.store, Skew::Override).await.unwrap();
    assert!(clock.now() < future);
    // Said once, it is forgotten.
    Clock::start(&*stage.store, Skew::Refuse).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_a_little_behind_goes_on_from_the_stored_time() {
    let stage = Stage::new().await;
    let soon = later(stage.clock.now(), 240);
    let mut grant = Grant::general();
    grant.expires_at = Some(later(soon, -60));
    let secret = stage.tokens.create(NewToken::new("app", grant)).await.unwrap().secret;
    let recorder = Recorder::start(Arc::clone(&stage.store), RecorderOptions::default());
    recorder.record(Event::new("req_1", soon, "chat.completions", Verdict::Allow));
    recorder.flush().await.unwrap();
    let stage = Stage::in_folder(stage.close().await).await;
    // Whatever the system's clock says: it has expired before, and is not revived.
    assert!(stage.clock.now() >= soon);
    assert_eq!(stage.ask(secret.expose()), "401 token_expired");
}

#[tokio::test]
async fn what_cannot_be_written_now_is_written_later() {
    let stage = Stage::new().await;
    let options = RecorderOptions { write_every: Duration::from_millis(10), ..RecorderOptions::default() };
    let recorder = Recorder::start(Arc::clone(&stage.store), options);
    let away = stage.folder.path().join("away.db");
    fs::rename(stage.path(), &away).unwrap();
    recorder.record(Event::new("req_1", stage.clock.now(), "chat.completions", Verdict::Allow));
    assert!(recorder.flush().await.is_err());
    fs::rename(&away, stage.path()).unwrap();
    tokio::time::timeout(PATIENCE, recorder.flush()).await.unwrap().unwrap();
    let events = stage.store.events(&cedargate_tokens::EventFilter::default(), None, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert!(events[0].1.time > Timestamp::from_millis(0));
}

#[tokio::test]
async fn a_clock_that_is_years_ahead_changes_nothing_but_to_end_tokens() {
    let stage = Stage::new().await;
    for name in ["ended", "off", "app"] {
        stage.create(name).await;
    }
    let now = stage.clock.now();
    let years = later(now, 5 * 365 * 86_400);
    let ahead = Arc::new(Clock::at_least(years));
    let tokens = Tokens::new(Arc::clone(&stage.store), ahead, Actor::new("local:tester").unwrap());
    let named = |name: &str| Selector::Name(name.to_owned());
    let error = tokens.create(NewToken::new("new", Grant::general())).await.unwrap_err();
    assert!(matches!(error, TokenError::Store(StoreError::ClockAhead { .. })), "{error}");
    let said = error.to_string();
    assert!(said.contains(&years.to_string()[..4]) && said.contains(&now.to_string()[..4]), "{said}");
    assert!(said.contains("--accept-clock"), "{said}");
    assert!(tokens.enable(&named("app")).await.is_ok(), "it is on, and stays so");
    tokens.revoke(&named("ended"), None).await.unwrap();
    tokens.disable(&named("off")).await.unwrap();
    assert!(tokens.enable(&named("off")).await.is_err());
    // A gateway under that clock records, and nothing of it is noted.
    let recorder = Recorder::start(Arc::clone(&stage.store), RecorderOptions::default());
    recorder.record(Event::new("req_1", years, "chat.completions", Verdict::Allow));
    recorder.flush().await.unwrap();
    let clock = Clock::start(&*stage.store, Skew::Refuse).await.unwrap();
    assert!(clock.now() < later(now, 3_600), "whoever starts now is not behind");
    stage.tokens.create(NewToken::new("new", Grant::general())).await.unwrap();
    stage.tokens.audit_verify(None).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_store_that_was_not_used_for_long_goes_on_once_the_clock_is_accepted() {
    let stage = Stage::new().await;
    let secret = stage.create("app").await;
    meddle(&stage.path(), "UPDATE meta SET value = value - 8000000000 WHERE name = 'newest'").await;
    let clock = Arc::new(Clock::start(&*stage.store, Skew::Refuse).await.unwrap());
    let tokens = Tokens::new(Arc::clone(&stage.store), clock, Actor::new("local:tester").unwrap());
    let error = tokens.create(NewToken::new("new", Grant::general())).await.unwrap_err();
    assert!(matches!(error, TokenError::Store(StoreError::ClockAhead { .. })), "{error}");
    assert_eq!(stage.ask(&secret), "200", "whoever has a token is admitted");
    Clock::start(&*stage.store, Skew::Override).await.unwrap();
    tokens.create(NewToken::new("new", Grant::general())).await.unwrap();
}

#[tokio::test]
async fn a_full_store_keeps_nobody_from_ending_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.db");
    let bounded = SqliteOptions { bytes_max: Some(640 << 10), ..SqliteOptions::default() };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, bounded).await.unwrap());
    meddle(&path, "CREATE TABLE ballast AS SELECT zeroblob(393216) AS bytes").await;
    let clock = Arc::new(Clock::start(&*store, Skew::Refuse).await.unwrap());
    let tokens = Tokens::new(Arc::clone(&store), clock, Actor::new("local:tester").unwrap());
    let mut made = 0;
    while tokens.create(NewToken::new(format!("app-{made}"), Grant::general())).await.is_ok() {
        made += 1;
    }
    let named = |n: usize| Selector::Name(format!("app-{n}"));
    for n in 0..20 {
        tokens.revoke(&named(n), None).await.unwrap();
        tokens.disable(&named(n + 20)).await.unwrap();
    }
    let mut more = 0;
    while tokens.create(NewToken::new(format!("more-{more}"), Grant::general())).await.is_ok() {
        more += 1;
        assert!(more < 100, "the room is kept for the end of tokens");
    }
    tokens.audit_verify(None).await.unwrap().unwrap();
}

/// A file system with this much room, where whoever runs the test may mount one.
fn small_disk(bytes: u64) -> Option<SmallDisk> {
    let folder = tempfile::tempdir().unwrap();
    let options = format!("size={bytes},mode=0700");
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
        .arg(folder.path())
        .stderr(std::process::Stdio::null())
        .status();
    mounted.is_ok_and(|status| status.success()).then_some(SmallDisk(folder))
}

struct SmallDisk(tempfile::TempDir);

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_keeps_nobody_from_ending_tokens() {
    let Some(disk) = small_disk(4 << 20) else { return };
    let path = disk.0.path().join("tokens.db");
    let store = SqliteStore::open(&path, SqliteOptions::default()).await.unwrap();
    let clock = Arc::new(Clock::start(&store, Skew::Refuse).await.unwrap());
    let actor = Actor::new("local:tester").unwrap();
    let tokens = Tokens::new(Arc::new(store.clone()), Arc::clone(&clock), actor.clone());
    for n in 0..30 {
        tokens.create(NewToken::new(format!("app-{n}"), Grant::general())).await.unwrap();
    }
    let named = |n: usize| Selector::Name(format!("app-{n}"));
    let ballast = disk.0.path().join("ballast");
    fill(&ballast);
    for n in 0..10 {
        tokens.revoke(&named(n), None).await.unwrap();
        tokens.disable(&named(n + 10)).await.unwrap();
    }
    // What the log gave back goes, too.
    fill(&disk.0.path().join("more-ballast"));
    let mut made = 0;
    let error = loop {
        match tokens.create(NewToken::new(format!("more-{made}"), Grant::general())).await {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
        assert!(made < 100, "the disk is full");
    };
    assert!(matches!(error, TokenError::Store(StoreError::Full)), "{error}");
    for name in ["ballast", "more-ballast"] {
        fs::remove_file(disk.0.path().join(name)).unwrap();
    }
    tokens.enable(&named(10)).await.unwrap();
    store.close().await;

    // Another process comes, with nothing beside the file.
    fill(&ballast);
    let store = SqliteStore::open(&path, SqliteOptions::default()).await.unwrap();
    let tokens = Tokens::new(Arc::new(store.clone()), clock, actor);
    tokens.revoke(&named(29), None).await.unwrap();
    let error = tokens.create(NewToken::new("one-more", Grant::general())).await.unwrap_err();
    assert!(matches!(error, TokenError::Store(StoreError::Full)), "{error}");
    tokens.audit_verify(None).await.unwrap().unwrap();
    assert!(tokens.find(&named(29)).await.unwrap().revoked_at.is_some());
    store.close().await;
}

/// Takes all room that there is.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(path).unwrap();
    for size in [65_536, 4_096, 1] {
        let bytes = vec![0x5a; size];
        while file.write_all(&bytes).is_ok() {}
    }
}
