//! Statements are prepared once.

use std::ffi::CStr;

use rusqlite::{Connection, ffi};

use super::{claim, enqueue, one, open};

/// The texts of the connection's statements that SQLite has prepared again since this was last called.
fn prepared_again(conn: &Connection) -> Vec<String> {
    let mut found = Vec::new();
    let mut statement = std::ptr::null_mut();
    loop {
        // SAFETY: the connection is open, and none of its statements is finalised meanwhile.
        unsafe {
            statement = ffi::sqlite3_next_stmt(conn.handle(), statement);
            if statement.is_null() {
                return found;
            }
            if ffi::sqlite3_stmt_status(statement, ffi::SQLITE_STMTSTATUS_REPREPARE, 1) > 0 {
                found.push(CStr::from_ptr(ffi::sqlite3_sql(statement)).to_string_lossy().into_owned());
            }
        }
    }
}

fn call_everything(conn: &Connection, round: i64) {
    let id = enqueue(conn);
    claim(conn).expect("a due job");
    let _: i64 = one(conn, "SELECT honker_ack(?1, 'w')", [id]);
    for call in [
        "SELECT honker_queue_stats('q', 10 + ?1)",
        "SELECT honker_claim_batch('q', 'w', 1 + ?1, 60)",
        "SELECT honker_stream_publish('t', NULL, '' || ?1)",
        "SELECT honker_stream_read_since('t', 0, 1 + ?1)",
        "SELECT honker_notification_read_since('c', 0, 1 + ?1)",
        "SELECT honker_result_save(?1, '1', 1)",
        "SELECT honker_rate_limit_try('r', 9, 1 + ?1)",
        "SELECT honker_token_bucket_take('b' || ?1, 9, 1, 1)",
        "SELECT honker_malformed_rows(1 + ?1)",
        "SELECT honker_dead_prune('q', 0, 1 + ?1)",
        "SELECT honker_stream_prune('t', 0, 1 + ?1)",
    ] {
        let _: rusqlite::types::Value = one(conn, call, [round]);
    }
}

/// Recent SQLite looks at the value bound to `LIMIT ?n` and prepares the statement again when it changes.
#[test]
fn no_call_prepares_a_statement_again() {
    let conn = open();
    call_everything(&conn, 0);
    // The tables are new, and a statement that was prepared before them is prepared again.
    prepared_again(&conn);
    for round in 1..4 {
        call_everything(&conn, round);
    }
    assert_eq!(prepared_again(&conn), [] as [&str; 0]);
}
