//! Statements that insert many rows at once: what a statement costs beside its rows is more than a row does.

use std::sync::LazyLock;

use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};

use super::failure::Failure;

/// Rows of one statement. With 22 values each they stay below SQLite's 32,766 parameters.
const ROWS: usize = 128;

/// A query under construction.
pub(super) type Binding<'q> = Query<'q, Sqlite, SqliteArguments>;

/// An insert of one row and the same of [`ROWS`] rows. Both texts are made of constants.
pub(super) struct Insert {
    one: LazyLock<String, Box<dyn FnOnce() -> String + Send>>,
    many: LazyLock<String, Box<dyn FnOnce() -> String + Send>>,
}

impl Insert {
    /// An insert into a table: its name, its columns, and what follows the values.
    pub(super) fn new(table: &'static str, columns: &'static [&'static str], end: &'static str) -> Self {
        let text = move |rows: usize| {
            let row = format!("({})", vec!["?"; columns.len()].join(", "));
            format!("INSERT INTO {table} ({}) VALUES {} {end}", columns.join(", "), vec![row; rows].join(", "))
        };
        Self { one: LazyLock::new(Box::new(move || text(1))), many: LazyLock::new(Box::new(move || text(ROWS))) }
    }

    /// Inserts rows. `bind` binds one of them, its values in the order of the columns.
    pub(super) async fn run<T>(
        &'static self,
        connection: &mut SqliteConnection,
        rows: Vec<T>,
        bind: impl for<'q> Fn(Binding<'q>, T) -> Binding<'q>,
    ) -> Result<(), Failure> {
        let mut rows = rows.into_iter();
        while rows.len() >= ROWS {
            let query = rows.by_ref().take(ROWS).fold(sqlx::query(self.many.as_str()), &bind);
            query.execute(&mut *connection).await?;
        }
        for row in rows {
            bind(sqlx::query(self.one.as_str()), row).execute(&mut *connection).await?;
        }
        Ok(())
    }
}
