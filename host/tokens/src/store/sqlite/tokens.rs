//! Tokens and their secrets.

use std::collections::HashMap;

use serde::Deserialize;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, query, query_scalar};

use super::failure::Failure;
use super::{SqliteStore, audit, counts, lineage, sealed, time};
use crate::clock::CLOCK_AHEAD_MAX_MS;
use crate::secret::SecretHash;
use crate::store::{Change, ChangeSet, SecretsPage, StoreError, StoredSecret, TokenPage};
use crate::token::{Grant, Label, SecretVersion, Token};

type Result<T> = std::result::Result<T, Failure>;

const TOKEN_BY_ID: &str = "SELECT * FROM tokens WHERE id = ?";

/// Who reads secrets of many tokens at once wants one statement for them: the tokens with numbers in a range.
const SECRETS_IN_RANGE: &str = "\
    SELECT s.*, u.at AS used_at, u.refused_at, t.id AS token_id FROM tokens t \
    JOIN secrets s ON s.token = t.number \
    LEFT JOIN last_use u ON u.token_id = t.id AND u.version = s.version \
    WHERE t.number BETWEEN ? AND ? ORDER BY s.token, s.version";

/// What is selected for a [`SecretRow`].
macro_rules! secret_row {
    () => {
        "json_array(hex(s.hash), s.version, t.id, t.name, t.team_id, t.\"grant\", t.allowances, \
           t.disabled_at IS NOT NULL, t.revoked_at IS NOT NULL OR s.revoked_at IS NOT NULL, s.grace_until, t.revision)"
    };
}

/// A page as one value: each value of a row costs more than what is read. Its tokens are a range of revisions, which
/// is read in order; a subquery with a limit would be copied first.
const SECRETS_AFTER: &str = concat!(
    "SELECT json_group_array(",
    secret_row!(),
    "), max(t.revision) \
    FROM tokens t CROSS JOIN secrets s ON s.token = t.number \
    WHERE t.revision > ?1 AND t.revision <= coalesce( \
      (SELECT revision FROM tokens WHERE revision > ?1 ORDER BY revision LIMIT 1 OFFSET ?2 - 1), 9223372036854775807)"
);

/// A page of one secret.
const SECRET_BY_HASH: &str = concat!(
    "SELECT json_array(",
    secret_row!(),
    ") FROM secrets s JOIN tokens t ON t.number = s.token WHERE s.hash = ?"
);

/// How often what ends a token is tried where others take the room that was kept for it.
const ROOM_TRIES: usize = 3;

pub(super) async fn apply(store: &SqliteStore, changes: &ChangeSet) -> Result<Vec<i64>> {
    let ends = changes.only_ends();
    let mut applied = apply_once(store, changes, ends, false).await;
    for _ in 0..ROOM_TRIES {
        match applied {
            Err(failure) if ends && failure.is_full() => {
                tracing::warn!("the disk is full: the room that is kept for revocations is used");
                store.reserve.release();
                applied = apply_once(store, changes, ends, true).await;
                if applied.is_ok() {
                    // The log takes more room than what it says: it begins anew.
                    store.opened().settle().await;
                }
            }
            applied => return applied,
        }
    }
    applied
}

/// Makes changes. What ends tokens is made whatever the clock says, and with `last_room` beyond what others may use.
async fn apply_once(store: &SqliteStore, changes: &ChangeSet, ends: bool, last_room: bool) -> Result<Vec<i64>> {
    let mut transaction = if ends { store.begin_ending(last_room).await? } else { store.begin().await? };
    let newest = newest(&mut transaction).await?;
    let leaps = newest.is_some_and(|newest| changes.at.as_millis().saturating_sub(newest) > CLOCK_AHEAD_MAX_MS);
    if let (true, false, Some(newest)) = (leaps, ends, newest) {
        return Err(StoreError::ClockAhead { now: changes.at, newest: time(newest) }.into());
    }
    let mut revisions = Vec::with_capacity(changes.changes.len());
    let mut chain = audit::Chain::resume(&mut transaction).await?;
    for change in &changes.changes {
        let before = sealed::of(&mut transaction, &change.after.id).await?;
        revisions.push(apply_one(&mut transaction, changes, change).await?);
        let after = sealed::of(&mut transaction, &change.after.id).await?;
        chain.append(&mut transaction, changes, change, [before, after]).await?;
    }
    note_time(&mut transaction, changes.at.as_millis()).await?;
    let seen = lineage::read(&mut transaction).await?;
    transaction.commit().await?;
    store.note(seen);
    store.tell(&chain.sealed());
    Ok(revisions)
}

/// The newest time that anything was stored at.
pub(super) async fn newest(connection: &mut SqliteConnection) -> Result<Option<i64>> {
    Ok(query_scalar("SELECT value FROM meta WHERE name = 'newest'").fetch_optional(connection).await?)
}

/// Notes a time that something is stored at, unless it lies so far ahead that the clock may be wrong.
pub(super) async fn note_time(connection: &mut SqliteConnection, at: i64) -> Result<()> {
    query(
        "INSERT INTO meta (name, value) VALUES ('newest', ?1) \
         ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value) WHERE excluded.value - value <= ?2",
    )
    .bind(at)
    .bind(CLOCK_AHEAD_MAX_MS)
    .execute(connection)
    .await?;
    Ok(())
}

async fn apply_one(connection: &mut SqliteConnection, changes: &ChangeSet, change: &Change) -> Result<i64> {
    let token = &change.after;
    let at = changes.at.as_millis();
    let found = query("SELECT number, revision FROM tokens WHERE id = ?")
        .bind(&token.id)
        .fetch_optional(&mut *connection)
        .await?;
    let found = found.map(|row| Ok::<_, sqlx::Error>((row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)?)));
    let found = found.transpose()?;
    if found.map(|(_, revision)| revision) != change.expected() {
        return Err(StoreError::Conflict.into());
    }
    // An expired token gives its name up to whoever takes it.
    query("UPDATE tokens SET name_held = 0 WHERE name = ? AND name_held = 1 AND expires_at <= ? AND id <> ?")
        .bind(&token.name)
        .bind(at)
        .bind(&token.id)
        .execute(&mut *connection)
        .await?;
    let revoked = token.revoked_at.is_some();
    let taken = query("SELECT 1 FROM tokens WHERE name = ? AND name_held = 1 AND id <> ?")
        .bind(&token.name)
        .bind(&token.id)
        .fetch_optional(&mut *connection)
        .await?;
    let ended = revoked || token.grant.expires_at.is_some_and(|expires_at| expires_at <= changes.at);
    if taken.is_some() && !ended {
        return Err(StoreError::NameTaken.into());
    }
    let revision: i64 = query_scalar("UPDATE meta SET value = value + 1 WHERE name = 'revision' RETURNING value")
        .fetch_one(&mut *connection)
        .await?;
    let number = put_token(connection, token, taken.is_none() && !revoked, revision).await?;
    let known = change.before.as_ref().map_or(&[][..], |before| before.secrets.as_slice());
    for secret in token.secrets.iter().filter(|secret| !known.contains(secret)) {
        put_secret(connection, number, secret).await?;
    }
    Ok(revision)
}

async fn put_token(connection: &mut SqliteConnection, token: &Token, name_held: bool, revision: i64) -> Result<i64> {
    let grant = serde_json::to_string(&token.grant).map_err(StoreError::invalid)?;
    let allowances = match token.allowances.is_empty() {
        true => None,
        false => Some(serde_json::to_string(&token.allowances).map_err(StoreError::invalid)?),
    };
    let number = query_scalar(
        "INSERT INTO tokens (id, name, name_held, description, label, \"grant\", allowances, team_id, expires_at, \
           created_at, disabled_at, revoked_at, revision) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_held = excluded.name_held, \
           description = excluded.description, label = excluded.label, \"grant\" = excluded.\"grant\", \
           allowances = excluded.allowances, team_id = excluded.team_id, expires_at = excluded.expires_at, \
           disabled_at = excluded.disabled_at, revoked_at = excluded.revoked_at, revision = excluded.revision \
         RETURNING number",
    )
    .bind(&token.id)
    .bind(&token.name)
    .bind(name_held)
    .bind(&token.description)
    .bind(token.label.map(Label::name))
    .bind(grant)
    .bind(allowances)
    .bind(&token.grant.team_id)
    .bind(token.grant.expires_at.map(|at| at.as_millis()))
    .bind(token.created_at.as_millis())
    .bind(token.disabled_at.map(|at| at.as_millis()))
    .bind(token.revoked_at.map(|at| at.as_millis()))
    .bind(revision)
    .fetch_one(connection)
    .await?;
    Ok(number)
}

/// A secret that is there keeps its hash: what was presented once is never another secret.
async fn put_secret(connection: &mut SqliteConnection, token: i64, secret: &SecretVersion) -> Result<()> {
    let known: Option<(i64, i64)> = sqlx::query_as("SELECT token, version FROM secrets WHERE hash = ?")
        .bind(secret.hash.as_bytes().as_slice())
        .fetch_optional(&mut *connection)
        .await?;
    if known.is_some_and(|known| known != (token, i64::from(secret.version))) {
        return Err(StoreError::SecretKnown.into());
    }
    query(
        "INSERT INTO secrets (token, version, hash, public_part, created_at, grace_until, revoked_at, rotation_key, \
           rotated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (token, version) DO UPDATE SET grace_until = excluded.grace_until, \
           revoked_at = excluded.revoked_at",
    )
    .bind(token)
    .bind(secret.version)
    .bind(secret.hash.as_bytes().as_slice())
    .bind(&secret.public_part)
    .bind(secret.created_at.as_millis())
    .bind(secret.grace_until.map(|at| at.as_millis()))
    .bind(secret.revoked_at.map(|at| at.as_millis()))
    .bind(&secret.rotation_key)
    .bind(secret.rotated_at.map(|at| at.as_millis()))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn by_id(store: &SqliteStore, id: &str) -> Result<Option<Token>> {
    let mut transaction = counts::settled(store).await?.begin().await?;
    let rows = query(TOKEN_BY_ID).bind(id).fetch_all(&mut *transaction).await?;
    Ok(with_secrets(&mut transaction, rows).await?.pop())
}

pub(super) async fn by_name(store: &SqliteStore, name: &str, limit: u32) -> Result<Vec<Token>> {
    let mut transaction = counts::settled(store).await?.begin().await?;
    let rows = query("SELECT * FROM tokens WHERE name = ? ORDER BY name_held DESC, number DESC LIMIT ?")
        .bind(name)
        .bind(limit)
        .fetch_all(&mut *transaction)
        .await?;
    let mut tokens = Vec::with_capacity(rows.len());
    for row in rows {
        tokens.extend(with_secrets(&mut transaction, vec![row]).await?);
    }
    Ok(tokens)
}

pub(super) async fn page(store: &SqliteStore, after: i64, limit: u32) -> Result<TokenPage> {
    let mut transaction = counts::settled(store).await?.begin().await?;
    let rows = query("SELECT * FROM tokens WHERE number > ? ORDER BY number LIMIT ?")
        .bind(after)
        .bind(limit)
        .fetch_all(&mut *transaction)
        .await?;
    let is_full = usize::try_from(limit).is_ok_and(|limit| rows.len() >= limit);
    let last = rows.last().map(|row| row.try_get("number")).transpose()?;
    let tokens = with_secrets(&mut transaction, rows).await?;
    Ok(TokenPage { tokens, next: last.filter(|_| is_full) })
}

pub(super) async fn place(store: &SqliteStore, id: &str) -> Result<Option<i64>> {
    Ok(query_scalar("SELECT number FROM tokens WHERE id = ?").bind(id).fetch_optional(&store.reader()?).await?)
}

/// Tokens of these rows, which are all tokens between the first and the last of them.
async fn with_secrets(connection: &mut SqliteConnection, rows: Vec<SqliteRow>) -> Result<Vec<Token>> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
    let (first, last): (i64, i64) = (first.try_get("number")?, last.try_get("number")?);
    let secrets = query(SECRETS_IN_RANGE).bind(first).bind(last).fetch_all(connection).await?;
    let mut of_tokens: HashMap<i64, Vec<SecretVersion>> = HashMap::with_capacity(rows.len());
    for row in &secrets {
        of_tokens.entry(row.try_get("token")?).or_default().push(secret(row)?);
    }
    rows.iter().map(|row| token(row, of_tokens.remove(&row.try_get("number")?).unwrap_or_default())).collect()
}

fn token(row: &SqliteRow, secrets: Vec<SecretVersion>) -> Result<Token> {
    let grant: String = row.try_get("grant")?;
    let grant: Grant = serde_json::from_str(&grant).map_err(StoreError::invalid)?;
    let allowances: Option<String> = row.try_get("allowances")?;
    let allowances = match allowances {
        Some(text) => serde_json::from_str(&text).map_err(StoreError::invalid)?,
        None => Vec::new(),
    };
    let label: Option<String> = row.try_get("label")?;
    let label = label.map(|label| label.parse()).transpose().map_err(StoreError::invalid)?;
    Ok(Token {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        label,
        grant,
        allowances,
        created_at: time(row.try_get("created_at")?),
        disabled_at: row.try_get::<Option<i64>, _>("disabled_at")?.map(time),
        revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(time),
        last_used_at: secrets.iter().filter_map(|secret| secret.last_used_at).max(),
        last_refused_at: secrets.iter().filter_map(|secret| secret.last_refused_at).max(),
        secrets,
        revision: row.try_get("revision")?,
    })
}

fn secret(row: &SqliteRow) -> Result<SecretVersion> {
    Ok(SecretVersion {
        version: row.try_get("version")?,
        hash: hash(row.try_get("hash")?)?,
        public_part: row.try_get("public_part")?,
        created_at: time(row.try_get("created_at")?),
        grace_until: row.try_get::<Option<i64>, _>("grace_until")?.map(time),
        revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(time),
        rotation_key: row.try_get("rotation_key")?,
        rotated_at: row.try_get::<Option<i64>, _>("rotated_at")?.map(time),
        last_used_at: row.try_get::<Option<i64>, _>("used_at")?.map(time),
        last_refused_at: row.try_get::<Option<i64>, _>("refused_at")?.map(time),
    })
}

fn hash(bytes: &[u8]) -> Result<SecretHash> {
    let bytes = bytes.try_into().map_err(|_| StoreError::invalid("a hash does not have 32 bytes"))?;
    Ok(SecretHash::from_bytes(bytes))
}

pub(super) async fn by_hash(store: &SqliteStore, hash: &SecretHash) -> Result<Option<StoredSecret>> {
    let hash = hash.as_bytes().as_slice();
    let page: Option<String> = query_scalar(SECRET_BY_HASH).bind(hash).fetch_optional(&store.reader()?).await?;
    let secrets = page.map(|page| read_secrets(&page)).transpose()?;
    Ok(secrets.and_then(|mut secrets| secrets.pop()))
}

pub(super) async fn secrets_after(store: &SqliteStore, revision: i64, tokens_max: u32) -> Result<Option<SecretsPage>> {
    // One row of one table, five times a second, before anything larger is asked.
    let newest: i64 =
        query_scalar("SELECT value FROM meta WHERE name = 'revision'").fetch_one(&store.reader()?).await?;
    if newest <= revision {
        return Ok(None);
    }
    let page = query(SECRETS_AFTER).bind(revision).bind(tokens_max).fetch_one(&store.reader()?).await?;
    let (text, last): (String, Option<i64>) = (page.try_get(0)?, page.try_get(1)?);
    Ok(last.map(|last| SecretsPage::new(last, move || read_secrets(&text))))
}

fn read_secrets(page: &str) -> std::result::Result<Vec<StoredSecret>, StoreError> {
    let rows: Vec<SecretRow> = serde_json::from_str(page).map_err(StoreError::invalid)?;
    let mut secrets = rows.into_iter().map(SecretRow::into_secret).collect::<std::result::Result<Vec<_>, _>>()?;
    secrets.sort_by_key(|secret| (secret.revision, secret.version));
    Ok(secrets)
}

/// One secret of a page, by place and not by name: a million of these are read at the start.
#[derive(Deserialize)]
struct SecretRow(String, u32, String, String, Option<String>, String, Option<String>, i64, i64, Option<i64>, i64);

impl SecretRow {
    fn into_secret(self) -> std::result::Result<StoredSecret, StoreError> {
        let Self(hash, version, token_id, name, team_id, grant, allowances, disabled, revoked, grace_until, revision) =
            self;
        Ok(StoredSecret {
            hash: hash.parse().map_err(StoreError::invalid)?,
            version,
            token_id,
            name,
            team_id,
            grant,
            allowances,
            disabled: disabled != 0,
            revoked: revoked != 0,
            grace_until: grace_until.map(time),
            revision,
        })
    }
}
