use std::fs;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use cedargate_tokens::{
    Actor, ChainHash, Clock, Edit, Grant, Label, Lookup, NewToken, Rotation, Selector, Skew, SqliteOptions,
    SqliteStore, Status, Store, StoreError, Tampered, TokenError, Tokens, Update, syslog,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, query_as, query_scalar};

use crate::stage::{Folder, PATIENCE, Stage, later, until};

fn app() -> Selector {
    Selector::Name("app".to_owned())
}

/// A token with a history of five entries.
async fn busy() -> Stage {
    let stage = Stage::new().await;
    stage.create("app").await;
    let edit = Edit { team_id: Update::To("frontend".to_owned()), ..Edit::default() };
    stage.tokens.edit(&app(), &edit).await.unwrap();
    stage.tokens.rotate(&app(), &Rotation::default()).await.unwrap();
    stage.tokens.revoke(&app(), Some(1)).await.unwrap();
    stage.tokens.revoke(&app(), None).await.unwrap();
    stage
}

/// Somebody who may write the file, and does.
async fn tamper(stage: &Stage, statements: &[&str]) {
    let options = SqliteConnectOptions::new().filename(stage.path());
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe((*statement).to_owned())).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

const UNLOCK: &str = "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_deleted";

#[tokio::test]
async fn every_change_is_logged_without_secrets_and_hashes() {
    let stage = busy().await;
    let entries = stage.tokens.audit_after(0, 100).await.unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["create", "edit", "rotate", "revoke", "revoke"]);
    assert!(entries.iter().all(|entry| entry.actor == "local:tester" && entry.token_name == "app"));
    assert_eq!(entries[0].before, None);
    assert_eq!(entries[1].before.as_ref(), Some(&entries[0].after));
    let token = stage.tokens.find(&app()).await.unwrap();
    let text = serde_json::to_string(&entries).unwrap();
    for secret in &token.secrets {
        let digits: String = secret.hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!text.contains(&digits));
        assert!(text.contains(&secret.public_part));
    }
    let verified = stage.tokens.audit_verify(None).await.unwrap().unwrap();
    assert_eq!((verified.entries, verified.head), (5, Some(entries[4].hash)));
    let verified = stage.tokens.audit_verify(Some(entries[1].hash)).await.unwrap().unwrap();
    assert_eq!(verified.after_known, Some(3));
}

#[tokio::test]
async fn the_log_only_grows() {
    let stage = busy().await;
    let options = SqliteConnectOptions::new().filename(stage.path());
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for statement in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"] {
        let refused = sqlx::raw_sql(statement).execute(&mut connection).await.unwrap_err();
        assert!(refused.to_string().contains("the audit log only grows"));
    }
}

#[tokio::test]
async fn whatever_is_changed_in_the_log_is_found() {
    for (statement, found) in [
        ("UPDATE audit SET actor = 'somebody else' WHERE number = 2", Tampered::Changed { number: 2 }),
        ("UPDATE audit SET at = at + 1 WHERE number = 4", Tampered::Changed { number: 4 }),
        ("UPDATE audit SET before = NULL WHERE number = 3", Tampered::Changed { number: 3 }),
        ("UPDATE audit SET hash = zeroblob(32) WHERE number = 1", Tampered::Changed { number: 1 }),
        ("DELETE FROM audit WHERE number = 3", Tampered::Missing { number: 3 }),
        ("DELETE FROM audit WHERE number = 1", Tampered::Missing { number: 1 }),
    ] {
        let stage = busy().await;
        tamper(&stage, &[UNLOCK, statement]).await;
        assert_eq!(stage.tokens.audit_verify(None).await.unwrap(), Err(found), "{statement}");
    }
}

#[tokio::test]
async fn a_log_that_was_cut_off_is_found_by_its_head() {
    let stage = busy().await;
    let head = stage.tokens.audit_head().await.unwrap();
    tamper(&stage, &[UNLOCK, "DELETE FROM audit WHERE number = 5"]).await;
    let verified = stage.tokens.audit_verify(head).await.unwrap();
    assert_eq!(verified, Err(Tampered::CutOff { entries: 4, changes: 5 }));
    let other = ChainHash::from_bytes([7; 32]);
    let stage = busy().await;
    assert_eq!(stage.tokens.audit_verify(Some(other)).await.unwrap(), Err(Tampered::HeadUnknown { head: other }));
}

#[tokio::test]
async fn a_token_that_was_changed_past_the_log_is_found() {
    for statement in [
        "UPDATE tokens SET revoked_at = NULL",
        "UPDATE tokens SET \"grant\" = '{\"purpose\":\"integration\",\"principal_type\":\"api_token\"}'",
        "UPDATE secrets SET hash = randomblob(32) WHERE version = 2",
        "UPDATE secrets SET grace_until = NULL",
    ] {
        let stage = busy().await;
        tamper(&stage, &[statement]).await;
        let verified = stage.tokens.audit_verify(None).await.unwrap();
        assert!(matches!(verified, Err(Tampered::TokenChanged { number: 5, .. })), "{statement}: {verified:?}");
    }
}

#[tokio::test]
async fn the_log_goes_on_where_it_was_after_a_restart() {
    let stage = busy().await;
    let stage = Stage::in_folder(stage.close().await).await;
    stage.create("another").await;
    assert_eq!(stage.tokens.audit_verify(None).await.unwrap().unwrap().entries, 6);
    let path = stage.path();
    let folder = stage.close().await;
    let read_only = SqliteOptions { read_only: true, ..SqliteOptions::default() };
    SqliteStore::open(path, read_only).await.unwrap();
    drop(folder);
}

#[tokio::test]
async fn a_restriction_that_nobody_knows_is_not_overlooked() {
    let stage = Stage::new().await;
    let secret = stage.create("app").await;
    // As a newer version would write it, or somebody by hand.
    tamper(&stage, &["UPDATE tokens SET \"grant\" = json_set(\"grant\", '$.only_on_mondays', json('true'))"]).await;
    let stage = Stage::in_folder(stage.close().await).await;
    let Ok(Lookup::Found(entry)) = stage.directory.present(&secret) else { panic!("the secret is known") };
    assert!(matches!(entry.profile(), Err(StoreError::Invalid(_))));
    assert!(matches!(stage.tokens.find(&app()).await, Err(TokenError::Store(StoreError::Invalid(_)))));
}

/// A history of several tokens, one of which took the name of another that had expired.
async fn varied() -> Stage {
    let stage = busy().await;
    let mut new = NewToken::new("brief", Grant::general());
    new.label = Some(Label::Access);
    new.description = Some("for a test".to_owned());
    new.allowances = vec!["5usd/month".parse().unwrap()];
    new.grant.team_id = Some("frontend".to_owned());
    new.grant.expires_at = Some(later(stage.clock.now(), 3_600));
    stage.tokens.create(new).await.unwrap();
    let rotation = Rotation { idempotency_key: Some("deploy-1".to_owned()), ..Rotation::default() };
    stage.tokens.rotate(&named("brief"), &rotation).await.unwrap();
    stage.tokens.disable(&named("brief")).await.unwrap();
    stage
}

fn named(name: &str) -> Selector {
    Selector::Name(name.to_owned())
}

/// Columns that the log does not cover, and why.
const NOT_COVERED: [(&str, &str); 8] = [
    ("meta.identity", "which store it is stands beside the file, and changes with a store that was put back"),
    ("meta.instead_of", "the same"),
    ("meta.log", "what the file says of its log changes without a change of a token"),
    ("meta.newest", "changes with every request"),
    ("event_texts.*", "events are recorded, and the oldest are forgotten"),
    ("usage.* last_use.* waiting_counts.* sqlite_sequence.*", "changes with every request"),
    ("budgets.* leases.*", "what was spent changes with every request; what may be spent is covered"),
    ("audit.number", "a number that is changed is an entry that is missing"),
];

fn is_covered(table: &str, column: &str) -> bool {
    let names = NOT_COVERED.iter().flat_map(|(names, _)| names.split(' '));
    !names.into_iter().any(|name| name == format!("{table}.{column}") || name == format!("{table}.*"))
}

/// Columns of a store, as statements that change one of them.
async fn meddling(stage: &Stage) -> Vec<(String, String)> {
    let options = SqliteConnectOptions::new().filename(stage.path());
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let tables: Vec<String> =
        query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'").fetch_all(&mut connection).await.unwrap();
    let mut statements = Vec::new();
    for table in tables.iter().filter(|table| *table != "meta") {
        let columns: Vec<(String, String)> =
            query_as(AssertSqlSafe(format!("SELECT name, type FROM pragma_table_info('{table}')")))
                .fetch_all(&mut connection)
                .await
                .unwrap();
        for (column, kind) in columns.into_iter().filter(|(column, _)| is_covered(table, column)) {
            let value = match (kind.as_str(), column.as_str()) {
                (_, "label") => "'gateway'".to_owned(),
                (_, "name_held") => "1 - name_held".to_owned(),
                // The last of 32 bytes.
                ("BLOB", _) => format!("CAST(substr(\"{column}\", 1, 31) || x'{:02x}' AS BLOB)", 0x7f),
                ("INTEGER", _) => format!("coalesce(\"{column}\", 1700000000000) + 1"),
                ("TEXT", _) => format!("coalesce(\"{column}\", '') || ' '"),
                (kind, column) => panic!("{table}.{column} is {kind}"),
            };
            let row = match table.as_str() {
                "tokens" => "name = 'brief'",
                "secrets" => "version = 2 AND rotation_key IS NOT NULL",
                "audit" => "number = 6",
                _ => "true",
            };
            statements.push((
                format!("{table}.{column}"),
                format!("UPDATE \"{table}\" SET \"{column}\" = {value} WHERE {row}"),
            ));
        }
    }
    let names: Vec<String> = query_scalar("SELECT name FROM meta").fetch_all(&mut connection).await.unwrap();
    for name in names.iter().filter(|name| is_covered("meta", name)) {
        statements.push((format!("meta.{name}"), format!("UPDATE meta SET value = value + 1 WHERE name = '{name}'")));
    }
    connection.close().await.unwrap();
    statements
}

#[tokio::test]
async fn whatever_is_changed_by_hand_is_found() {
    let stage = varied().await;
    let statements = meddling(&stage).await;
    assert!(statements.len() > 30, "{statements:?}");
    let path = stage.path();
    let folder = stage.close().await;
    for (column, statement) in statements {
        let other = tempfile::tempdir().unwrap();
        fs::copy(&path, other.path().join("tokens.db")).unwrap();
        let stage = Stage::in_folder(other).await;
        stage.tokens.audit_verify(None).await.unwrap().unwrap();
        tamper(&stage, &["PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON", UNLOCK, &statement]).await;
        let found = stage.tokens.audit_verify(None).await.unwrap();
        match (column.split('.').next().unwrap(), found) {
            ("tokens" | "secrets", Err(Tampered::TokenChanged { token_name, .. })) => assert_eq!(token_name, "brief"),
            ("audit", Err(Tampered::Changed { .. })) | ("meta", Err(Tampered::CutOff { .. })) => {}
            (_, found) => panic!("{statement}: {found:?}"),
        }
        assert!(matches!(stage.folder, Folder::Own(_)));
    }
    drop(folder);
}

#[tokio::test]
async fn a_tail_that_was_cut_with_its_token_and_an_emptied_store_are_found() {
    let tokens = "DELETE FROM secrets WHERE token = 2; DELETE FROM tokens WHERE number = 2";
    let all = "DELETE FROM audit; DELETE FROM secrets; DELETE FROM tokens";
    for (statement, found) in [
        (format!("DELETE FROM audit WHERE number > 5; {tokens}"), Tampered::CutOff { entries: 5, changes: 8 }),
        (all.to_owned(), Tampered::CutOff { entries: 0, changes: 8 }),
    ] {
        let stage = varied().await;
        tamper(&stage, &["PRAGMA foreign_keys = OFF", UNLOCK, &statement]).await;
        assert_eq!(stage.tokens.audit_verify(None).await.unwrap(), Err(found), "{statement}");
        let options = SqliteOptions { create: false, ..SqliteOptions::default() };
        let store = SqliteStore::open(stage.path(), options).await.unwrap();
        assert!(matches!(store.holds_its_log().await, Err(StoreError::Damaged { .. })), "no gateway starts with it");
        store.close().await;
        // Who also counts the changes anew is found by what was seen of the store, and by the head.
        let stage = varied().await;
        let head = stage.tokens.audit_head().await.unwrap();
        let counted = "UPDATE meta SET value = (SELECT count(*) FROM audit) WHERE name = 'revision'";
        tamper(&stage, &["PRAGMA foreign_keys = OFF", UNLOCK, &statement, counted]).await;
        let verified = stage.tokens.audit_verify(None).await.unwrap();
        assert!(matches!(verified, Err(Tampered::Replaced(_))), "{verified:?}");
        let other = tempfile::tempdir().unwrap();
        fs::copy(stage.path(), other.path().join("tokens.db")).unwrap();
        let wal = stage.folder.path().join("tokens.db-wal");
        fs::copy(wal, other.path().join("tokens.db-wal")).unwrap();
        let elsewhere = Stage::in_folder(other).await;
        let verified = elsewhere.tokens.audit_verify(head).await.unwrap();
        assert!(matches!(verified, Err(Tampered::HeadUnknown { .. })), "{verified:?}");
    }
}

#[tokio::test]
async fn a_change_past_the_log_is_found_though_the_token_was_changed_since() {
    let stage = varied().await;
    tamper(&stage, &["UPDATE tokens SET team_id = 'backend' WHERE name = 'brief'"]).await;
    stage.tokens.enable(&named("brief")).await.unwrap();
    let verified = stage.tokens.audit_verify(None).await.unwrap();
    assert!(matches!(verified, Err(Tampered::TokenChanged { number: 8, .. })), "{verified:?}");
}

#[tokio::test]
async fn a_name_that_passes_to_another_token_is_in_order() {
    let stage = Stage::new().await;
    for _ in 0..2 {
        let mut new = NewToken::new("app", Grant::general());
        new.grant.expires_at = Some(later(stage.clock.now(), 1));
        let id = Selector::Id(stage.tokens.create(new).await.unwrap().token.id);
        let expired = async || stage.tokens.find(&id).await.unwrap().status(stage.clock.now()) == Status::Expired;
        until("the expiry", expired).await;
        stage.tokens.audit_verify(None).await.unwrap().unwrap();
    }
    stage.create("app").await;
    stage.tokens.audit_verify(None).await.unwrap().unwrap();
    tamper(
        &stage,
        &["UPDATE tokens SET name_held = 0 WHERE number = 3; UPDATE tokens SET name_held = 1 WHERE number = 1"],
    )
    .await;
    let verified = stage.tokens.audit_verify(None).await.unwrap();
    assert!(matches!(verified, Err(Tampered::TokenChanged { .. })), "{verified:?}");
}

#[tokio::test]
async fn entries_of_an_older_version_cover_what_they_did() {
    let stage = busy().await;
    // Entries as a version wrote them that sealed less: without the digest of the rows, and hashed anew.
    let entries = stage.tokens.audit_after(0, 100).await.unwrap();
    let mut statements = vec![UNLOCK.to_owned()];
    let mut previous = ChainHash::default();
    for mut entry in entries {
        let without = |text: &String| {
            let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
            let rows = value.as_object_mut().unwrap().remove("rows").unwrap();
            text.replace(&format!(",\"rows\":{rows}"), "")
        };
        entry.before = entry.before.as_ref().map(without);
        entry.after = without(&entry.after);
        previous = entry.sealed(&previous);
        let before = entry.before.map_or_else(|| "NULL".to_owned(), |before| format!("'{before}'"));
        statements.push(format!(
            "UPDATE audit SET before = {before}, after = '{}', hash = x'{previous}' WHERE number = {}",
            entry.after, entry.number
        ));
    }
    tamper(&stage, &statements.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let verified = stage.tokens.audit_verify(None).await.unwrap().unwrap();
    assert_eq!((verified.entries, verified.covered_in_part), (5, 1));
    for statement in
        ["UPDATE tokens SET team_id = NULL", "UPDATE tokens SET expires_at = 1", "UPDATE tokens SET name_held = 1"]
    {
        let other = tempfile::tempdir().unwrap();
        stage.sqlite.backup(&other.path().join("tokens.db"), false).await.unwrap();
        let stage = Stage::in_folder(other).await;
        tamper(&stage, &[statement]).await;
        let verified = stage.tokens.audit_verify(None).await.unwrap();
        assert!(matches!(verified, Err(Tampered::TokenChanged { .. })), "{statement}: {verified:?}");
    }
}

#[tokio::test]
async fn the_head_is_told_with_each_change() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("log");
    let receiver = UnixDatagram::bind(&socket).unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let store = SqliteStore::open(folder.path().join("tokens.db"), SqliteOptions::default()).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store.witnessed_by(syslog(&socket).unwrap()));
    let clock = Arc::new(Clock::start(&*store, Skew::Refuse).await.unwrap());
    let tokens = Tokens::new(store, clock, Actor::new("local:tester").unwrap());
    for name in ["one", "two"] {
        tokens.create(NewToken::new(name, Grant::general())).await.unwrap();
        let mut message = [0; 256];
        let length = receiver.recv(&mut message).unwrap();
        let message = String::from_utf8(message[..length].to_vec()).unwrap();
        let head = tokens.audit_head().await.unwrap().unwrap();
        assert!(message.starts_with("<86>cedargate[") && message.ends_with(&format!("head={head}")), "{message}");
    }
    // A log that nobody listens to is no reason to refuse a change.
    drop(receiver);
    tokens.create(NewToken::new("three", Grant::general())).await.unwrap();
}
