//! The engine on a SQLite that is linked statically, as in an application written in Rust.

mod brackets;
mod minimum_writer;
mod statements;
mod static_link;
mod transitions;

use rusqlite::types::FromSql;
use rusqlite::{Connection, Params};
use serde_json::Value;

/// A new database in memory, with the engine and its tables.
fn open() -> Connection {
    let conn = Connection::open_in_memory().expect("a database in memory");
    honker_engine::install(&conn).expect("functions can be registered");
    let _: i64 = one(&conn, "SELECT honker_bootstrap()", []);
    conn
}

/// The first column of the first row.
fn one<T: FromSql>(conn: &Connection, sql: &str, params: impl Params) -> T {
    conn.query_row(sql, params, |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The message of a statement that must fail.
fn failure(conn: &Connection, sql: &str) -> String {
    match conn.query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0)) {
        Ok(value) => panic!("{sql} returned {value:?}"),
        Err(error) => error.to_string(),
    }
}

fn enqueue(conn: &Connection) -> i64 {
    one(conn, "SELECT honker_enqueue('q', '{}', NULL, NULL, 0, 3, NULL)", [])
}

/// Claims one job for the worker `w`; its id and attempt.
fn claim(conn: &Connection) -> Option<(i64, i64)> {
    let claimed: String = one(conn, "SELECT honker_claim_batch('q', 'w', 1, 60)", []);
    let jobs: Vec<Value> = serde_json::from_str(&claimed).expect("JSON");
    jobs.first().map(|job| (job["id"].as_i64().expect("an id"), job["attempts"].as_i64().expect("a number")))
}

/// The states that the tables hold for a job.
fn states(conn: &Connection, id: i64) -> Vec<String> {
    let mut statement = conn.prepare("SELECT state FROM _honker_jobs WHERE id = ?1").expect("a view");
    let states = statement.query_map([id], |row| row.get(0)).expect("rows");
    states.collect::<rusqlite::Result<_>>().expect("texts")
}
