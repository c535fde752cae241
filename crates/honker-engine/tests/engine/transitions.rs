//! Each move of a job, and moves that fail in the middle.

use rusqlite::Connection;

use super::{claim, enqueue, failure, one, open, states};

/// A job in the state that a move begins in, and the call that makes the move.
fn moved(from: &str, call: &str) -> (Connection, i64, i64) {
    let conn = open();
    let id = enqueue(&conn);
    if from != "pending" {
        claim(&conn).expect("a due job");
    }
    if from == "dead" {
        let _: i64 = one(&conn, "SELECT honker_fail(?1, 'w', 'broken')", [id]);
    }
    assert_eq!(states(&conn, id), [from]);
    let outcome = one(&conn, call, [id]);
    (conn, id, outcome)
}

#[test]
fn every_move_ends_in_its_state() {
    for (from, call, to) in [
        ("processing", "SELECT honker_ack(?1, 'w')", None),
        ("processing", "SELECT honker_retry(?1, 'w', 0, 'e')", Some("pending")),
        ("processing", "SELECT honker_release(?1, 'w')", Some("pending")),
        ("processing", "SELECT honker_fail(?1, 'w', 'e')", Some("dead")),
        ("processing", "SELECT honker_cancel(?1)", None),
        ("pending", "SELECT honker_cancel(?1)", None),
        ("dead", "SELECT honker_requeue(?1)", Some("pending")),
    ] {
        let (conn, id, outcome) = moved(from, call);
        assert_eq!(outcome, 1, "{call}");
        assert_eq!(states(&conn, id), to.into_iter().collect::<Vec<_>>(), "{call}");
    }
}

#[test]
fn a_move_from_another_state_changes_nothing() {
    for (from, call) in [
        ("pending", "SELECT honker_ack(?1, 'w')"),
        ("pending", "SELECT honker_retry(?1, 'w', 0, 'e')"),
        ("pending", "SELECT honker_fail(?1, 'w', 'e')"),
        ("dead", "SELECT honker_cancel(?1)"),
        ("processing", "SELECT honker_requeue(?1)"),
        ("processing", "SELECT honker_ack(?1, 'another worker')"),
        ("processing", "SELECT honker_fail(?1, 'w', 'e', 2)"),
    ] {
        let (conn, id, outcome) = moved(from, call);
        assert_eq!(outcome, 0, "{call}");
        assert_eq!(states(&conn, id), [from], "{call}");
    }
}

#[test]
fn a_retry_of_the_last_attempt_buries() {
    let conn = open();
    let id = enqueue(&conn);
    for attempt in 1..=3 {
        assert_eq!(claim(&conn), Some((id, attempt)));
        assert_eq!(one::<i64>(&conn, "SELECT honker_retry(?1, 'w', 0, 'e')", [id]), 1);
    }
    assert_eq!(states(&conn, id), ["dead"]);
}

#[test]
fn a_burial_that_fails_at_its_delete_leaves_the_job_where_it_was() {
    for bracket in [["", ""], ["BEGIN", "COMMIT"]] {
        let conn = open();
        let id = enqueue(&conn);
        claim(&conn).expect("a due job");
        conn.execute_batch(
            "CREATE TRIGGER stop BEFORE DELETE ON _honker_live BEGIN SELECT raise(ABORT, 'stopped'); END",
        )
        .expect("a trigger");
        conn.execute_batch(bracket[0]).expect("a transaction");
        assert_eq!(failure(&conn, "SELECT honker_fail(1, 'w', 'e')"), "HONKER_CONSTRAINT: stopped");
        conn.execute_batch(bracket[1]).expect("the transaction goes on");
        assert_eq!(states(&conn, id), ["processing"]);
    }
}

#[test]
fn a_move_whose_effect_fails_is_undone() {
    let conn = open();
    let id = enqueue(&conn);
    conn.execute_batch(
        "CREATE TRIGGER stop BEFORE INSERT ON _honker_results BEGIN SELECT raise(ABORT, 'stopped'); END",
    )
    .expect("a trigger");
    assert_eq!(failure(&conn, "SELECT honker_cancel(1)"), "HONKER_CONSTRAINT: stopped");
    assert_eq!(states(&conn, id), ["pending"]);
    conn.execute_batch("DROP TRIGGER stop").expect("it is there");
    assert_eq!(one::<i64>(&conn, "SELECT honker_cancel(?1)", [id]), 1);
    assert_eq!(one::<i64>(&conn, "SELECT count(*) FROM _honker_results WHERE job_id = ?1", [id]), 1);
}

#[test]
fn burials_of_one_call_keep_to_the_retention_policy_of_their_queue() {
    let conn = open();
    let _: i64 = one(&conn, "SELECT honker_retention_set('dead', 'q', NULL, 5)", []);
    let payloads = format!("[{}]", vec!["1"; 1_000].join(","));
    let expired = "SELECT honker_enqueue_many('q', ?1, NULL, NULL, 0, 3, -1)";
    let _: String = one(&conn, expired, [payloads]);
    assert_eq!(one::<i64>(&conn, "SELECT honker_sweep_expired('q')", []), 1_000);
    // One in 64 burials is the turn to prune 128.
    let left: i64 = one(&conn, "SELECT count(*) FROM _honker_dead", []);
    assert_eq!(left, 5);
}
