//! Restricting a function to the application's own SQL, as opposed to the schema of a file.
//!
//! The author of a database file must not be able to start threads in the program that opens it. `SQLITE_DIRECTONLY`
//! prevents that for views and triggers. But SQLite calls such a function from a CHECK constraint and from a DEFAULT,
//! with any `trusted_schema` (tried with 3.40.1, where `writefile` of its own shell writes from a CHECK), and evaluates
//! constraints for `PRAGMA integrity_check` too. So we look at the statements that are running: the text of one must name
//! the function, as that of an application which inserts a row does not.

use std::ffi::CStr;

use honker_domain::Result;
use rusqlite::{Connection, ffi};

/// An error like SQLite's own for views and triggers, unless a statement that is running names the function.
pub fn require(conn: &Connection, function: &str) -> Result<()> {
    if running_statements(conn).any(|sql| names(&sql, function)) {
        return Ok(());
    }
    let message = format!("unsafe use of {function}()");
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ERROR), Some(message)).into())
}

fn names(sql: &[u8], function: &str) -> bool {
    sql.windows(function.len()).any(|part| part.eq_ignore_ascii_case(function.as_bytes()))
}

/// The texts of the statements of this connection that are being stepped.
fn running_statements(conn: &Connection) -> impl Iterator<Item = Vec<u8>> {
    let mut statement = std::ptr::null_mut();
    std::iter::from_fn(move || {
        // SAFETY: the handle is open while one of its functions runs, and the statements it lists are alive; none is
        // finalised between two steps of this iterator.
        unsafe {
            loop {
                statement = ffi::sqlite3_next_stmt(conn.handle(), statement);
                if statement.is_null() {
                    return None;
                }
                let sql = ffi::sqlite3_sql(statement);
                if ffi::sqlite3_stmt_busy(statement) != 0 && !sql.is_null() {
                    return Some(CStr::from_ptr(sql).to_bytes().to_vec());
                }
            }
        }
    })
}
