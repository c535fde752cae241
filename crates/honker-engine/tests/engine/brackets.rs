//! The bracket of a call that fails or nests.

use super::{claim, enqueue, failure, one, open, states};

#[test]
fn a_commit_that_fails_is_the_error_of_the_call_and_undoes_it() {
    let conn = open();
    let id = enqueue(&conn);
    claim(&conn).expect("a due job");
    conn.execute_batch(
        "PRAGMA foreign_keys = ON;
         CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER orphan AFTER INSERT ON _honker_dead BEGIN INSERT INTO child VALUES (1); END",
    )
    .expect("a schema");
    assert_eq!(failure(&conn, "SELECT honker_fail(1, 'w', 'e')"), "HONKER_CONSTRAINT: FOREIGN KEY constraint failed");
    assert!(conn.is_autocommit());
    assert_eq!(states(&conn, id), ["processing"]);
}

#[test]
fn a_call_in_a_transaction_is_part_of_it() {
    let conn = open();
    let id = enqueue(&conn);
    conn.execute_batch("BEGIN").expect("a transaction");
    assert_eq!(one::<i64>(&conn, "SELECT honker_cancel(?1)", [id]), 1);
    assert!(!conn.is_autocommit());
    conn.execute_batch("ROLLBACK").expect("the transaction is open");
    assert_eq!(states(&conn, id), ["pending"]);
}

#[test]
fn a_call_in_a_trigger_is_undone_with_the_statement() {
    let conn = open();
    conn.execute_batch(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, price REAL CHECK (price > 0));
         CREATE TRIGGER ordered BEFORE INSERT ON orders
         BEGIN SELECT honker_enqueue_many('q', '[1, 2]', NULL, NULL, 0, 3, NULL); END",
    )
    .expect("a schema");
    conn.execute("INSERT INTO orders (price) VALUES (-1)", []).expect_err("the check fails");
    assert_eq!(one::<i64>(&conn, "SELECT count(*) FROM _honker_live", []), 0);
    conn.execute("INSERT INTO orders (price) VALUES (1)", []).expect("a valid order");
    assert_eq!(one::<i64>(&conn, "SELECT count(*) FROM _honker_live", []), 2);
}

#[test]
fn a_call_within_a_call_uses_statements_of_its_own() {
    let conn = open();
    conn.execute_batch(
        "CREATE TRIGGER chain AFTER INSERT ON _honker_live WHEN new.queue = 'q'
         BEGIN SELECT honker_enqueue('next', '{}', NULL, NULL, 0, 3, NULL); END",
    )
    .expect("a trigger");
    for _ in 0..3 {
        enqueue(&conn);
    }
    assert_eq!(one::<i64>(&conn, "SELECT count(*) FROM _honker_live WHERE queue = 'next'", []), 3);
    conn.close().expect("no statement is left");
}
