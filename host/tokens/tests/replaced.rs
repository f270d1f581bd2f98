use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cedargate::Principal;
use cedargate_tokens::{
    Actor, Availability, Directory, DirectoryOptions, IfReplaced, Rotation, Selector, SqliteOptions, SqliteStore,
    Store, StoreError, restore,
};

use crate::stage::{Stage, answer, until};

fn named(name: &str) -> Selector {
    Selector::Name(name.to_owned())
}

fn actor() -> Actor {
    Actor::new("local:tester").unwrap()
}

async fn open(path: &Path, if_replaced: IfReplaced) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, SqliteOptions { if_replaced, ..SqliteOptions::default() }).await
}

/// A directory that looks often.
async fn watching(stage: &Stage) -> Directory<Principal> {
    let often = DirectoryOptions { poll_every: Duration::from_millis(10), ..DirectoryOptions::default() };
    Directory::start(Arc::clone(&stage.store), often).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_revoked_stays_revoked_in_a_store_that_was_put_back() {
    let stage = Stage::new().await;
    let mut secrets = Vec::new();
    for name in ["ended", "rotated", "goes-on"] {
        secrets.push(stage.create(name).await);
    }
    let rotated = stage.tokens.rotate(&named("rotated"), &Rotation::default()).await.unwrap();
    secrets.push(rotated.secret.expose().to_owned());
    let backup = stage.folder.path().join("backup.db");
    stage.sqlite.backup(&backup, false).await.unwrap();
    stage.tokens.revoke(&named("ended"), None).await.unwrap();
    stage.tokens.revoke(&named("rotated"), Some(1)).await.unwrap();
    secrets.push(stage.create("made-since").await);
    let directory = watching(&stage).await;
    let ask =
        || secrets.iter().map(|secret| answer(&directory, secret, "gpt-4o", stage.clock.now())).collect::<Vec<_>>();
    let before = ["401 token_revoked", "401 token_revoked", "200", "200", "200"];
    assert_eq!(ask(), before);

    // As an older file takes the place of the store, with the log of the other one beside it.
    let kept = stage.folder.path().join("kept.db");
    fs::rename(stage.path(), &kept).unwrap();
    fs::rename(&backup, stage.path()).unwrap();
    until("503", async || ask() == ["503"; 5]).await;
    until("it is known why", async || directory.availability() == Availability::Replaced).await;
    let error = open(&stage.path(), IfReplaced::Refuse).await.unwrap_err();
    assert!(matches!(error, StoreError::Replaced(_)), "{error}");
    assert!(error.to_string().contains("changes 5 to 7") && error.to_string().contains("--accept-store"), "{error}");
    assert_eq!(ask(), ["503"; 5], "nobody has accepted it");

    let accepted = open(&stage.path(), IfReplaced::Accept).await.unwrap();
    assert_eq!(accepted.accepted().unwrap().seen.revision, 7);
    until("an answer", async || directory.is_available()).await;
    assert_eq!(ask(), ["401 token_revoked", "401 token_revoked", "200", "200", "401 token_unknown"]);
    let tokens = cedargate_tokens::Tokens::new(Arc::new(accepted.clone()), Arc::clone(&stage.clock), actor());
    until("it is written back", async || {
        tokens.find(&named("ended")).await.unwrap().revoked_at.is_some()
            && tokens.find(&named("rotated")).await.unwrap().secrets[0].revoked_at.is_some()
    })
    .await;
    let token = tokens.find(&named("rotated")).await.unwrap();
    assert_eq!((token.revoked_at, token.secrets[1].revoked_at), (None, None));
    let entries = tokens.audit_after(0, 100).await.unwrap();
    let back: Vec<_> = entries.iter().filter(|entry| entry.action == "restored-store").collect();
    assert_eq!(back.len(), 2);
    assert!(back.iter().all(|entry| entry.actor == "gateway"));
    tokens.audit_verify(None).await.unwrap().unwrap();
    // Changes of the store that is there now are followed.
    tokens.revoke(&named("goes-on"), None).await.unwrap();
    until("the revocation", async || ask()[2] == "401 token_revoked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_file_put_back_needs_nobody_to_accept_it() {
    let stage = Stage::new().await;
    let secret = stage.create("app").await;
    let directory = watching(&stage).await;
    let ask = || answer(&directory, &secret, "gpt-4o", stage.clock.now());
    let other = stage.folder.path().join("other.db");
    open(&other, IfReplaced::Refuse).await.unwrap().close().await;
    // A copy that knows as much.
    let whole = stage.folder.path().join("whole.db");
    stage.sqlite.backup(&whole, false).await.unwrap();
    fs::rename(stage.path(), stage.folder.path().join("away.db")).unwrap();
    fs::rename(&other, stage.path()).unwrap();
    until("503", async || ask() == "503" && directory.availability() == Availability::Replaced).await;
    fs::rename(&whole, stage.path()).unwrap();
    until("an answer", async || ask() == "200").await;
}

#[tokio::test]
async fn a_store_that_is_older_than_what_was_seen_is_refused_after_a_restart() {
    let stage = Stage::new().await;
    let secret = stage.create("app").await;
    let backup = stage.folder.path().join("backup.db");
    stage.sqlite.backup(&backup, false).await.unwrap();
    stage.tokens.revoke(&named("app"), None).await.unwrap();
    let path = stage.path();
    let folder = stage.close().await;
    fs::copy(&backup, &path).unwrap();
    assert!(matches!(open(&path, IfReplaced::Refuse).await, Err(StoreError::Replaced(_))));
    let store: Arc<dyn Store> = Arc::new(open(&path, IfReplaced::Await).await.unwrap());
    let directory = Directory::<Principal>::start(store, DirectoryOptions::default()).await.unwrap();
    assert_eq!(directory.availability(), Availability::Replaced);
    open(&path, IfReplaced::Accept).await.unwrap();
    until("an answer", async || directory.is_available()).await;
    assert_eq!(directory.len(), 1);
    // Accepted once, it is the store.
    let stage = Stage::in_folder(folder).await;
    assert_eq!(stage.ask(&secret), "200");
}

#[tokio::test]
async fn a_new_store_takes_the_place_of_one_that_was_removed() {
    let stage = Stage::new().await;
    stage.create("app").await;
    let path = stage.path();
    let folder = stage.close().await;
    fs::remove_file(path).unwrap();
    Stage::in_folder(folder).await.create("app").await;
}

#[tokio::test]
async fn what_was_revoked_since_a_backup_is_revoked_in_it() {
    let stage = Stage::new().await;
    let mut secrets = Vec::new();
    for name in ["ended", "edited", "goes-on"] {
        secrets.push(stage.create(name).await);
    }
    let backup = stage.folder.path().join("backup.db");
    stage.sqlite.backup(&backup, false).await.unwrap();
    stage.tokens.revoke(&named("ended"), None).await.unwrap();
    stage.tokens.disable(&named("edited")).await.unwrap();
    secrets.push(stage.create("made-since").await);
    let path = stage.path();
    let folder = stage.close().await;
    let lost = restore(&backup, &path, &actor()).await.unwrap().lost.unwrap();
    let names = |tokens: &[(String, String)]| tokens.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(lost.changes, 3);
    assert_eq!(names(&lost.revoked), ["ended"]);
    assert_eq!(names(&lost.changed), ["edited"]);
    assert_eq!(names(&lost.made), ["made-since"]);
    // What was put back by somebody who knew is the store.
    let stage = Stage::in_folder(folder).await;
    let asked: Vec<_> = secrets.iter().map(|secret| stage.ask(secret)).collect();
    assert_eq!(asked, ["401 token_revoked", "200", "200", "401 token_unknown"]);
    let last = stage.store.audit_last().await.unwrap().unwrap();
    assert_eq!((last.action.as_str(), last.actor.as_str()), ("restored-store", "local:tester"));
    stage.tokens.audit_verify(None).await.unwrap().unwrap();
}
