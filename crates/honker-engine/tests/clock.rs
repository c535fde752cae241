//! The clock that tests set. It is that of the process, so one test stops it, and no other test runs beside it.

use rusqlite::types::FromSql;
use rusqlite::{Connection, Params};

const START: i64 = 1_800_000_000;

fn open() -> Connection {
    let conn = Connection::open_in_memory().expect("a database in memory");
    honker_engine::install(&conn).expect("functions can be registered");
    conn
}

fn one<T: FromSql>(conn: &Connection, sql: &str, params: impl Params) -> T {
    conn.query_row(sql, params, |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn claimed(conn: &Connection) -> usize {
    one::<String>(conn, "SELECT honker_claim_batch('q', 'w', 10, 60)", []).matches("claim_expires_at").count()
}

#[test]
fn a_stopped_clock_decides_when_jobs_are_due_and_leases_lapse() {
    let conn = open();
    let set = "SELECT honker_clock_set(?1)";
    let refused = conn.query_row(set, [START], |row| row.get::<_, i64>(0)).expect_err("no test has asked for it");
    assert!(refused.to_string().contains("no such function"), "{refused}");

    honker_engine::testing::install(&conn).expect("the function can be registered");
    let _: i64 = one(&conn, "SELECT honker_bootstrap()", []);
    assert_eq!(one::<i64>(&conn, set, [START]), START);
    let _: i64 = one(&conn, "SELECT honker_enqueue('q', '{}', NULL, 60, 0, 3, NULL)", []);
    assert_eq!(one::<i64>(&conn, "SELECT created_at FROM _honker_live", []), START);
    assert_eq!(claimed(&conn), 0);
    let _: f64 = one(&conn, set, [f64::from(1_800_000_059) + 0.999]);
    assert_eq!(claimed(&conn), 0, "a millisecond too early");
    let _: i64 = one(&conn, set, [START + 60]);
    assert_eq!(claimed(&conn), 1);
    let _: i64 = one(&conn, set, [START + 120]);
    assert_eq!(claimed(&conn), 0, "the lease holds through its last second");
    let _: i64 = one(&conn, set, [START + 121]);
    assert_eq!(claimed(&conn), 1);

    conn.execute_batch("CREATE VIEW v AS SELECT honker_clock_set(0)").expect("a view");
    let refused = conn.query_row("SELECT * FROM v", [], |row| row.get::<_, i64>(0)).expect_err("direct-only");
    assert!(refused.to_string().contains("unsafe use of honker_clock_set()"), "{refused}");

    let _: Option<i64> = one(&conn, set, [None::<i64>]);
    let _: i64 = one(&conn, "SELECT honker_enqueue('later', '{}', NULL, NULL, 0, 3, NULL)", []);
    let created_at: i64 = one(&conn, "SELECT created_at FROM _honker_live WHERE queue = 'later'", []);
    let now: i64 = one(&conn, "SELECT unixepoch()", []);
    assert!((now - created_at).abs() <= 1, "{created_at} is not the wall clock's {now}");
}
