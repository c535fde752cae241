//! A program enqueues, claims and acknowledges without the loadable extension.

use rusqlite::{Connection, params};

use super::{enqueue, one, open};

#[test]
fn a_job_is_enqueued_claimed_and_acknowledged() {
    let conn = open();
    let id: i64 = one(&conn, "SELECT honker_enqueue('emails', '{\"to\":1}', NULL, NULL, 0, 3, NULL)", []);
    let claimed: String = one(&conn, "SELECT honker_claim_batch('emails', 'w', 1, 60)", []);
    let jobs: Vec<serde_json::Value> = serde_json::from_str(&claimed).expect("JSON");
    assert_eq!(jobs.len(), 1, "{claimed}");
    assert_eq!(jobs[0]["id"], id);
    assert_eq!(jobs[0]["payload"], "{\"to\":1}");
    assert_eq!(one::<i64>(&conn, "SELECT honker_ack(?1, 'w', ?2)", params![id, 1]), 1);
    assert_eq!(one::<i64>(&conn, "SELECT honker_ack(?1, 'w', ?2)", params![id, 1]), 0);
    assert_eq!(one::<String>(&conn, "SELECT honker_claim_batch('emails', 'w', 1, 60)", []), "[]");
}

#[test]
fn a_connection_closes_with_the_engine_on_it() {
    let conn = open();
    enqueue(&conn);
    conn.close().expect("no statement is left");
}

#[test]
fn functions_are_those_of_the_connection_they_were_installed_on() {
    let (with, without) = (open(), Connection::open_in_memory().expect("a database in memory"));
    let count = "SELECT count(*) FROM pragma_function_list WHERE name GLOB 'honker_*'";
    assert!(one::<i64>(&with, count, []) > 50);
    assert_eq!(one::<i64>(&without, count, []), 0);
}
