//! What stands in the rows of a token, as the audit log seals it.
//!
//! Whoever may write the file may change a row past the log. So each entry holds a digest of all that stands in the rows
//! after the change, of each column and of whole hashes: it says nothing of them, and no other rows have it.

use std::collections::HashMap;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, query_as};

use super::SqliteStore;
use super::failure::Failure;
use crate::store::{RowSeal, StoredRow};

type Result<T> = std::result::Result<T, Failure>;

/// What a digest begins with, so that it is the digest of nothing else.
const DOMAIN: &[u8] = b"cedargate rows 1";

/// Columns of `tokens` that are sealed. `name_held` is not: it may change with another token that takes the name, and
/// follows from the log.
const TOKEN: [&str; 13] = [
    "number",
    "id",
    "name",
    "description",
    "label",
    "grant",
    "allowances",
    "team_id",
    "expires_at",
    "created_at",
    "disabled_at",
    "revoked_at",
    "revision",
];

/// Columns of `secrets` that are sealed: all of them.
const SECRET: [&str; 9] = [
    "token",
    "version",
    "hash",
    "public_part",
    "created_at",
    "grace_until",
    "revoked_at",
    "rotation_key",
    "rotated_at",
];

/// All values of a row as one text, in which none is taken for another.
fn values(table: char, columns: &[&str]) -> String {
    let quoted: Vec<_> = columns.iter().map(|column| format!("quote({table}.\"{column}\")")).collect();
    format!("json_array({})", quoted.join(", "))
}

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let values = values('t', &TOKEN);
    format!(
        "SELECT t.number, t.id, t.name, t.name_held, t.team_id, t.expires_at, t.revision, {values} FROM tokens t \
         WHERE t.number > ? ORDER BY t.number LIMIT ?"
    )
});

static SECRETS: LazyLock<String> = LazyLock::new(|| {
    let values = values('s', &SECRET);
    format!("SELECT s.token, {values} FROM secrets s WHERE s.token BETWEEN ? AND ? ORDER BY s.token, s.version")
});

static ONE: LazyLock<String> = LazyLock::new(|| {
    let values = values('t', &TOKEN);
    format!("SELECT t.number, {values} FROM tokens t WHERE t.id = ?")
});

type Row = (i64, String, String, i64, Option<String>, Option<i64>, i64, String);

/// Rows of tokens in the order in which these were made, at most `limit` after a number.
pub(super) async fn page(store: &SqliteStore, after: i64, limit: u32) -> Result<Vec<StoredRow>> {
    let mut transaction = store.reader()?.begin().await?;
    let rows: Vec<Row> =
        query_as(AssertSqlSafe(PAGE.as_str())).bind(after).bind(limit).fetch_all(&mut *transaction).await?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
    let mut secrets = secrets(&mut transaction, first.0, last.0).await?;
    let read = |(number, id, name, name_held, team_id, expires_at, revision, values): Row| StoredRow {
        seal: seal(&values, &secrets.remove(&number).unwrap_or_default()),
        place: number,
        id,
        name,
        name_held: name_held != 0,
        team_id,
        expires_at: expires_at.map(super::time),
        revision,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// The seal of the rows of one token.
pub(super) async fn of(connection: &mut SqliteConnection, id: &str) -> Result<Option<RowSeal>> {
    let row: Option<(i64, String)> =
        query_as(AssertSqlSafe(ONE.as_str())).bind(id).fetch_optional(&mut *connection).await?;
    let Some((number, values)) = row else { return Ok(None) };
    let mut secrets = secrets(connection, number, number).await?;
    Ok(Some(seal(&values, &secrets.remove(&number).unwrap_or_default())))
}

async fn secrets(connection: &mut SqliteConnection, first: i64, last: i64) -> Result<HashMap<i64, Vec<String>>> {
    let rows: Vec<(i64, String)> =
        query_as(AssertSqlSafe(SECRETS.as_str())).bind(first).bind(last).fetch_all(connection).await?;
    let mut secrets: HashMap<i64, Vec<String>> = HashMap::new();
    for (token, values) in rows {
        secrets.entry(token).or_default().push(values);
    }
    Ok(secrets)
}

fn seal(token: &str, secrets: &[String]) -> RowSeal {
    let mut digest = Sha256::new_with_prefix(DOMAIN);
    let mut part = |text: &str| {
        digest.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(text);
    };
    part(token);
    secrets.iter().for_each(|secret| part(secret));
    RowSeal::new(&digest.finalize().into())
}
