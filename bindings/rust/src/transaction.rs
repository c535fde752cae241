//! Transactions.

use rusqlite::{Connection, Params, Row};

use crate::connection::Lent;
use crate::error::{Error, Result};

/// A transaction, made by [`Database::transaction`](crate::Database::transaction). Rolled back on drop.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let db = honker::Database::open(folder.path().join("app.db"))?;
/// use honker::{EnqueueOpts, QueueOpts, rusqlite::params};
///
/// db.with_conn(|conn| conn.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT)"))?;
/// let emails = db.queue("emails", QueueOpts::default());
///
/// let tx = db.transaction()?;
/// tx.execute("INSERT INTO orders (item) VALUES (?1)", params!["book"])?;
/// let order: i64 = tx.query_row("SELECT last_insert_rowid()", [], |row| row.get(0))?;
/// emails.enqueue_tx(&tx, &order, EnqueueOpts::default())?;
/// tx.commit()?;
/// # Ok::<(), honker::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction<'db> {
    conn: Lent<'db>,
}

impl<'db> Transaction<'db> {
    pub(crate) fn begin(conn: Lent<'db>) -> Result<Self> {
        conn.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self { conn })
    }

    /// Executes a statement. Returns the number of rows it changed.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub fn execute<P: Params>(&self, sql: &str, params: P) -> Result<usize> {
        Ok(self.conn.execute(sql, params)?)
    }

    /// Maps the first row of a query.
    ///
    /// # Errors
    /// As [`Connection::query_row`]; a query without a row is one.
    pub fn query_row<T, P, F>(&self, sql: &str, params: P, f: F) -> Result<T>
    where
        P: Params,
        F: FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    {
        Ok(self.conn.query_row(sql, params, f)?)
    }

    /// The connection, for anything else of rusqlite.
    #[must_use]
    pub fn conn(&self) -> &Connection {
        &self.conn
    }

    /// Commits.
    ///
    /// # Errors
    /// [`ErrorKind::Constraint`](crate::ErrorKind::Constraint) if a deferred foreign key is violated, and errors of
    /// writing. Everything is rolled back then.
    pub fn commit(self) -> Result<()> {
        self.conn.execute_batch("COMMIT").map_err(Error::from)
    }

    /// Rolls back, as the drop does, and reports an error of it.
    ///
    /// # Errors
    /// An error of SQLite.
    pub fn rollback(self) -> Result<()> {
        if self.conn.is_autocommit() {
            return Ok(());
        }
        self.conn.execute_batch("ROLLBACK").map_err(Error::from)
    }
}
