//! A process that runs on while a newer honker has raised the minimum writer version of the file.

use super::{claim, enqueue, failure, one, open, states};

const TOO_NEW: &str = "HONKER_SCHEMA_TOO_NEW: ";

#[test]
fn a_higher_minimum_refuses_claims_and_moves_that_rules_may_forbid() {
    let conn = open();
    let (held, waiting) = (enqueue(&conn), enqueue(&conn));
    claim(&conn).expect("a due job");
    conn.execute("UPDATE _honker_meta SET value = 1000 WHERE key = 'min_writer_version'", []).expect("a row");
    for call in [
        "SELECT honker_claim_batch('q', 'w', 1, 60)",
        "SELECT honker_work('q', 'w', 1, 60, '[]')",
        "SELECT honker_requeue(1)",
        "SELECT honker_sweep_expired('q')",
    ] {
        let message = failure(&conn, call);
        assert!(message.starts_with(TOO_NEW), "{call}: {message}");
    }
    assert_eq!(states(&conn, waiting), ["pending"]);
    // A finished job must not run again.
    assert_eq!(one::<i64>(&conn, "SELECT honker_ack(?1, 'w')", [held]), 1);
}

#[test]
fn a_file_demands_no_more_than_its_own_version() {
    let conn = open();
    let minimum = "SELECT value FROM _honker_meta WHERE key = 'min_writer_version'";
    let version = "SELECT value FROM _honker_meta WHERE key = 'schema_version'";
    assert!(one::<i64>(&conn, minimum, []) <= one::<i64>(&conn, version, []));
}
