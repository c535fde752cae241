use honker_core::cron::{CronSchedule, next_after_unix};
use honker_core::{DEFAULT_PRAGMAS, attach_honker_functions, attach_notify, bootstrap_honker_schema, open_conn};
use rusqlite::Connection;

use crate::{File, notify};

fn pragma(conn: &Connection, name: &str) -> String {
    conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0))
        .map(|value| match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        })
        .expect("the pragma answers")
}

#[test]
fn a_connection_has_the_default_pragmas() {
    let file = File::new();
    let conn = open_conn(file.text(), false).unwrap();
    for (name, value) in [
        ("journal_mode", "wal"),
        ("synchronous", "1"),
        ("busy_timeout", "5000"),
        ("foreign_keys", "1"),
        ("cache_size", "-32000"),
        ("temp_store", "2"),
        ("wal_autocheckpoint", "10000"),
    ] {
        assert_eq!(pragma(&conn, name), value, "{name}");
        assert!(DEFAULT_PRAGMAS.contains(name), "{name}");
    }
}

#[test]
fn notify_is_there_only_if_it_was_asked_for() {
    let file = File::new();
    assert_eq!(notify(&file.open()), 1);
    let without = open_conn(file.text(), false).unwrap();
    let error = without.query_row("SELECT notify('news', 'hello')", [], |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("no such function"), "{error}");
    attach_notify(&without).unwrap();
    assert_eq!(notify(&without), 2);
}

#[test]
fn functions_and_tables_are_attached_twice_without_harm() {
    let conn = Connection::open_in_memory().unwrap();
    for _ in 0..2 {
        attach_honker_functions(&conn).unwrap();
        bootstrap_honker_schema(&conn).unwrap();
    }
    let sql = "SELECT honker_enqueue('emails', '{}', NULL, NULL, 0, 3, NULL)";
    assert_eq!(conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    let claimed: String =
        conn.query_row("SELECT honker_claim_batch('emails', 'w', 1, 300)", [], |row| row.get(0)).unwrap();
    assert!(claimed.contains(r#""id":1"#), "{claimed}");
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error() {
    let error = open_conn("/there/is/no/such/folder/app.db", true).unwrap_err();
    assert!(error.to_string().contains("unable to open"), "{error}");
}

#[test]
fn the_next_time_of_a_schedule_is_strictly_later() {
    let schedule: CronSchedule = " @every 90s ".parse().unwrap();
    assert_eq!((schedule.expr(), schedule.next_after_unix(10).unwrap()), ("@every 90s", 100));
    let next = next_after_unix("* * * * *", 1_767_225_600).unwrap();
    assert_eq!(next, 1_767_225_660);
    for wrong in ["", "* * *", "61 * * * *", "0 0 31 2 *", "@every 0s"] {
        assert!(next_after_unix(wrong, 0).is_err(), "{wrong}");
    }
}
