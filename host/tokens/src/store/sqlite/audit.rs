//! The log of changes.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, query};

use super::failure::Failure;
use super::{SqliteStore, time};
use crate::audit::{AuditEntry, ChainHash, Sealed};
use crate::describe::describe;
use crate::store::{Change, ChangeSet, RowSeal, StoreError};

type Result<T> = std::result::Result<T, Failure>;

const LAST: &str = "SELECT * FROM audit ORDER BY number DESC LIMIT 1";

/// The end of the chain, to which entries are appended.
pub(super) struct Chain {
    number: i64,
    hash: ChainHash,
}

impl Chain {
    pub(super) async fn resume(connection: &mut SqliteConnection) -> Result<Self> {
        let last = query(LAST).fetch_optional(connection).await?.map(|row| entry(&row)).transpose()?;
        Ok(last.map_or(Self { number: 0, hash: ChainHash::default() }, |entry| Self {
            number: entry.number,
            hash: entry.hash,
        }))
    }

    pub(super) async fn append(
        &mut self,
        connection: &mut SqliteConnection,
        changes: &ChangeSet,
        change: &Change,
        rows: [Option<RowSeal>; 2],
    ) -> Result<()> {
        let [rows_before, rows_after] = rows;
        let mut entry = AuditEntry {
            number: self.number.saturating_add(1),
            at: changes.at,
            actor: changes.actor.clone(),
            action: change.action.to_owned(),
            token_id: change.after.id.clone(),
            token_name: change.after.name.clone(),
            before: change
                .before
                .as_ref()
                .map(|before| describe(before, rows_before.as_ref()))
                .transpose()
                .map_err(StoreError::invalid)?,
            after: describe(&change.after, rows_after.as_ref()).map_err(StoreError::invalid)?,
            hash: ChainHash::default(),
        };
        entry.hash = entry.sealed(&self.hash);
        query(
            "INSERT INTO audit (number, at, actor, action, token_id, token_name, before, after, hash) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(entry.number)
        .bind(entry.at.as_millis())
        .bind(&entry.actor)
        .bind(&entry.action)
        .bind(&entry.token_id)
        .bind(&entry.token_name)
        .bind(&entry.before)
        .bind(&entry.after)
        .bind(entry.hash.as_bytes().as_slice())
        .execute(connection)
        .await?;
        self.number = entry.number;
        self.hash = entry.hash;
        Ok(())
    }

    /// The head of the log.
    pub(super) fn sealed(&self) -> Sealed {
        Sealed { number: self.number, head: self.hash }
    }
}

pub(super) async fn last(store: &SqliteStore) -> Result<Option<AuditEntry>> {
    query(LAST).fetch_optional(&store.reader()?).await?.map(|row| entry(&row)).transpose()
}

pub(super) async fn after(store: &SqliteStore, number: i64, limit: u32) -> Result<Vec<AuditEntry>> {
    let rows = query("SELECT * FROM audit WHERE number > ? ORDER BY number LIMIT ?")
        .bind(number)
        .bind(limit)
        .fetch_all(&store.reader()?)
        .await?;
    rows.iter().map(entry).collect()
}

fn entry(row: &SqliteRow) -> Result<AuditEntry> {
    let hash: &[u8] = row.try_get("hash")?;
    let hash = hash.try_into().map_err(|_| StoreError::invalid("an audit hash does not have 32 bytes"))?;
    Ok(AuditEntry {
        number: row.try_get("number")?,
        at: time(row.try_get("at")?),
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        token_id: row.try_get("token_id")?,
        token_name: row.try_get("token_name")?,
        before: row.try_get("before")?,
        after: row.try_get("after")?,
        hash: ChainHash::from_bytes(hash),
    })
}
