use cedargate_tokens::{
    ChainHash, Edit, Lookup, Rotation, Selector, SqliteOptions, SqliteStore, StoreError, Tampered, TokenError, Update,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::stage::Stage;

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
    assert!(matches!(verified, Err(Tampered::HeadUnknown { .. } | Tampered::TokenChanged { .. })));
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
