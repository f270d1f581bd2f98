use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use cedargate_tokens::{Actor, Grant, NewToken, Selector, SqliteOptions, SqliteStore, StoreError, restore};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::processes::spawn;
use crate::stage::{Stage, until};

/// The file alone, in a folder of its own.
fn copied(path: &Path) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    fs::copy(path, &copy).unwrap();
    (folder, copy)
}

fn actor() -> Actor {
    Actor::new("local:tester").unwrap()
}

async fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, SqliteOptions::default()).await
}

/// How many changes a copy knows of, and that they are in order; nothing where it says that it was cut.
async fn entries(path: &Path) -> Option<u64> {
    let store = match open(path).await {
        Ok(store) => store,
        Err(StoreError::Cut { .. }) => return None,
        Err(error) => panic!("{error}"),
    };
    let checked = store.check().await.unwrap();
    store.close().await;
    Some(checked.log.unwrap().entries)
}

#[tokio::test]
async fn the_file_alone_says_that_it_was_cut_from_its_log() {
    let stage = Stage::new().await;
    stage.create("app").await;
    let (_folder, copy) = copied(&stage.path());
    for options in [
        SqliteOptions::default(),
        SqliteOptions { create: false, ..SqliteOptions::default() },
        SqliteOptions { read_only: true, ..SqliteOptions::default() },
    ] {
        let error = SqliteStore::open(&copy, options).await.unwrap_err();
        assert!(matches!(error, StoreError::Cut { .. }), "{error}");
        assert!(error.to_string().contains("kt store restore"), "{error}");
    }
    // With its log it is whole.
    fs::copy(stage.folder.path().join("tokens.db-wal"), copy.with_file_name("copy.db-wal")).unwrap();
    assert_eq!(entries(&copy).await, Some(1));
}

#[tokio::test]
async fn what_was_written_stands_in_the_file_itself_soon_and_at_the_end() {
    let stage = Stage::new().await;
    for n in 0..3 {
        stage.create(&format!("app-{n}")).await;
    }
    until("the file is whole", async || entries(&copied(&stage.path()).1).await == Some(3)).await;
    stage.create("late").await;
    let path = stage.path();
    let folder = stage.close().await;
    assert_eq!(fs::read_dir(folder.path()).unwrap().filter(|entry| is_log(&entry.as_ref().unwrap().path())).count(), 0);
    assert_eq!(entries(&copied(&path).1).await, Some(4));
}

fn is_log(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.ends_with("-wal") || path.ends_with("-shm"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_under_load_is_whole_or_says_that_it_was_cut() {
    let stage = Stage::new().await;
    let mut child = spawn("churn all", stage.folder.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.find(|line| line.starts_with("live")).unwrap();
    let (mut cut, mut whole) = (0, 0);
    while child.try_wait().unwrap().is_none() {
        // Both processes write, and this one moves the log as often as it can.
        stage.create(&format!("mine-{cut}-{whole}")).await;
        let before = stage.tokens.audit_after(0, 100_000).await.unwrap().len();
        let copies = (copied(&stage.path()), copied(&stage.path()));
        for (_folder, copy) in [copies.0, copies.1] {
            match entries(&copy).await {
                None => cut += 1,
                Some(entries) => {
                    assert!(entries >= u64::try_from(before).unwrap(), "{entries} of {before} in a copy");
                    whole += 1;
                }
            }
        }
        let _ = lines.by_ref().take(20).count();
    }
    assert!(cut > 0, "{whole} were whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_leaves_is_whole_with_its_log_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = spawn("churn all", folder.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    for _ in 0..40 {
        lines.find(|line| line.starts_with("live")).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let path = folder.path().join("tokens.db");
    assert_eq!(entries(&copied(&path).1).await, None);
    // Another tool opens it, and moves the log as it ends.
    let mut other = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await.unwrap();
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM audit").fetch_one(&mut other).await.unwrap();
    other.close().await.unwrap();
    assert!(known >= 40);
    assert_eq!(entries(&copied(&path).1).await, u64::try_from(known).ok());
    let stage = Stage::in_folder(folder).await;
    stage.create("one-more").await;
    assert_eq!(entries(&copied(&stage.path()).1).await, None);
}

#[tokio::test]
async fn a_file_without_anything_is_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.db");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for create in [false, true] {
        let options = SqliteOptions { create, ..SqliteOptions::default() };
        assert!(matches!(SqliteStore::open(&path, options).await, Err(StoreError::Empty { .. })));
    }
    fs::remove_file(&path).unwrap();
    open(&path).await.unwrap().close().await;
    // As a version did whose stores began in the log: the file alone is a database without a table.
    fs::remove_file(&path).unwrap();
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(fs::metadata(&path).unwrap().len() > 0);
    assert!(matches!(open(&path).await, Err(StoreError::Cut { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_while_others_write() {
    let stage = Stage::new().await;
    let secret = stage.create("app").await;
    let mut child = spawn("churn all", stage.folder.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let backups = tempfile::tempdir().unwrap();
    for n in 0..5 {
        let known = stage.tokens.audit_after(0, 100_000).await.unwrap().len();
        let path = backups.path().join(format!("{n}.db"));
        let checked = stage.sqlite.backup(&path, false).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(checked.log.unwrap().entries >= u64::try_from(known).unwrap());
        let _ = lines.by_ref().take(50).count();
    }
    let path = backups.path().join("0.db");
    assert!(matches!(stage.sqlite.backup(&path, false).await, Err(StoreError::Exists { .. })));
    stage.sqlite.backup(&path, true).await.unwrap();
    let _ = lines.count();
    child.wait().unwrap();
    assert_eq!(fs::read_dir(backups.path()).unwrap().count(), 5, "and nothing beside them");
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { create: false, read_only: true, ..SqliteOptions::default() };
    SqliteStore::open(&path, options).await.unwrap().check().await.unwrap().log.unwrap();
    fs::rename(&path, folder.path().join("tokens.db")).unwrap();
    let stage = Stage::in_folder(folder).await;
    assert_eq!(stage.ask(&secret), "200");
    stage.create("one-more").await;
}

#[tokio::test]
async fn a_backup_takes_the_place_of_a_store_that_nobody_has_open() {
    let stage = Stage::new().await;
    let secret = stage.create("app").await;
    let backup = stage.folder.path().join("backup.db");
    stage.sqlite.backup(&backup, false).await.unwrap();
    let later = stage.create("later").await;
    let path = stage.path();
    assert!(matches!(restore(&backup, &path, &actor()).await, Err(StoreError::InUse { .. })));
    let folder = stage.close().await;
    let restored = restore(&backup, &path, &actor()).await.unwrap();
    assert_eq!(restored.checked.log.unwrap().entries, 1);
    assert_eq!(entries(&restored.kept.unwrap()).await, Some(2));
    let stage = Stage::in_folder(folder).await;
    assert_eq!((stage.ask(&secret), stage.ask(&later)), ("200".to_owned(), "401 token_unknown".to_owned()));
}

#[tokio::test]
async fn what_is_no_sound_backup_takes_nobodys_place() {
    let stage = Stage::new().await;
    for n in 0..50 {
        stage.create(&format!("app-{n}")).await;
    }
    let backup = stage.folder.path().join("backup.db");
    stage.sqlite.backup(&backup, false).await.unwrap();
    let (_folder, cut) = copied(&stage.path());
    let path = stage.path();
    let folder = stage.close().await;
    assert!(matches!(restore(&cut, &path, &actor()).await, Err(StoreError::Cut { path }) if path == cut));
    let whole = fs::read(&backup).unwrap();
    let mut damaged = whole.clone();
    for byte in damaged.iter_mut().skip(4096) {
        *byte ^= 0x5a;
    }
    fs::write(&backup, damaged).unwrap();
    assert!(restore(&backup, &path, &actor()).await.is_err());
    fs::write(&backup, &whole).unwrap();
    let mut other = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&backup)).await.unwrap();
    sqlx::raw_sql("UPDATE tokens SET disabled_at = 1").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    assert!(matches!(restore(&backup, &path, &actor()).await, Err(StoreError::Tampered { .. })));
    assert_eq!(entries(&path).await, Some(50));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "the store, what is kept beside it, and the backup");
    // A store that is no more is no reason to refuse.
    fs::write(&backup, whole).unwrap();
    fs::write(&path, "no store at all").unwrap();
    restore(&backup, &path, &actor()).await.unwrap();
    let stage = Stage::in_folder(folder).await;
    let revoked = stage.tokens.revoke(&Selector::Name("app-7".to_owned()), None).await.unwrap();
    assert_eq!(revoked.revision, 51);
    stage.tokens.create(NewToken::new("app-7", Grant::general())).await.unwrap();
    assert_eq!(stage.store.audit_last().await.unwrap().unwrap().number, 52);
}

#[tokio::test]
async fn a_change_that_was_refused_cuts_nothing() {
    let stage = Stage::new().await;
    stage.create("app").await;
    let path = stage.path();
    let folder = stage.close().await;
    let stage = Stage::in_folder(folder).await;
    stage.tokens.create(NewToken::new("app", Grant::general())).await.unwrap_err();
    let folder = stage.close().await;
    assert_eq!(entries(&copied(&path).1).await, Some(1));
    let stage = Stage::in_folder(folder).await;
    stage.create("another").await;
}
