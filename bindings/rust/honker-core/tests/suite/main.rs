//! Each public item, used as the author of a binding uses it.

mod connections;
mod pools;
mod schema;
mod watchers;

use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

/// A folder with the path of a database that is not there yet.
pub(crate) struct File {
    _folder: TempDir,
    pub(crate) path: PathBuf,
}

impl File {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { path: folder.path().join("app.db"), _folder: folder }
    }

    pub(crate) fn text(&self) -> &str {
        self.path.to_str().expect("the path is UTF-8")
    }

    pub(crate) fn open(&self) -> Connection {
        honker_core::open_conn(self.text(), true).expect("the file opens")
    }
}

pub(crate) fn notify(conn: &Connection) -> i64 {
    conn.query_row("SELECT notify('news', 'hello')", [], |row| row.get(0)).expect("notify works")
}
