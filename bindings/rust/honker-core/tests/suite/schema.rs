use honker_core::{BOOTSTRAP_HONKER_SQL, attach_honker_functions, bootstrap_honker_schema};
use rusqlite::Connection;

/// The statements of all objects but SQLite's own, and the rows of the table of versions.
fn schema(conn: &Connection) -> Vec<String> {
    let objects = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    let rows = "SELECT key || ' ' || value FROM _honker_meta ORDER BY key";
    [objects, rows].into_iter().flat_map(|sql| texts(conn, sql)).collect()
}

fn texts(conn: &Connection, sql: &str) -> Vec<String> {
    let mut statement = conn.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn bootstrapped() -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    bootstrap_honker_schema(&conn).unwrap();
    conn
}

/// An empty file after all migrations, which a new file does not run.
fn migrated() -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    honker_domain::schema::migrate(&conn, 0).unwrap();
    conn
}

/// The statements of `schema/fresh.sql` for a file that has this schema.
fn fresh(conn: &Connection) -> String {
    let mut text = String::from(
        "-- The tables of a new file, as the migrations leave them. Parameters and columns returned: none. Takes the write lock.\n\
         -- Made by: HONKER_UPDATE_SCHEMA=1 cargo test -p honker-core, in bindings/rust. A test compares.\n",
    );
    let objects = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    for sql in texts(conn, objects) {
        let kind = ["CREATE TABLE", "CREATE UNIQUE INDEX", "CREATE INDEX", "CREATE VIEW"]
            .into_iter()
            .find(|kind| sql.starts_with(kind))
            .expect("an object of honker is a table, an index or a view");
        let rest = sql[kind.len()..].trim_start();
        text.extend([kind, " IF NOT EXISTS main.", rest, ";\n"]);
    }
    for row in texts(conn, "SELECT '(''' || key || ''', ' || value || ')' FROM _honker_meta ORDER BY key") {
        text.extend(["INSERT OR IGNORE INTO main._honker_meta (key, value) VALUES ", &row, ";\n"]);
    }
    text
}

#[test]
fn the_statements_make_the_same_tables_as_the_migrations() {
    let expected = migrated();
    if std::env::var_os("HONKER_UPDATE_SCHEMA").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../crates/honker-domain/src/schema/fresh.sql");
        std::fs::write(path, fresh(&expected)).unwrap();
        return;
    }
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(BOOTSTRAP_HONKER_SQL).unwrap();
    assert_eq!(schema(&conn), schema(&expected), "run with HONKER_UPDATE_SCHEMA=1");
    assert_eq!(schema(&bootstrapped()), schema(&expected));
}

#[test]
fn the_statements_change_nothing_in_a_file_that_has_the_tables() {
    let conn = bootstrapped();
    let before = schema(&conn);
    let counter = || conn.query_row("PRAGMA schema_version", [], |row| row.get::<_, i64>(0)).unwrap();
    let version = counter();
    for _ in 0..2 {
        conn.execute_batch(BOOTSTRAP_HONKER_SQL).unwrap();
    }
    assert_eq!((schema(&conn), counter()), (before, version));
}

#[test]
fn functions_work_on_tables_that_the_statements_made() {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(BOOTSTRAP_HONKER_SQL).unwrap();
    attach_honker_functions(&conn).unwrap();
    let sql = "SELECT honker_enqueue('emails', '{}', NULL, NULL, 0, 3, NULL)";
    assert_eq!(conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    bootstrap_honker_schema(&conn).unwrap();
}
