//! SQL calls: a script calls the functions of the extension with any values, in every position that SQLite allows, and
//! writes any values into the tables. No call may crash or hang, each error has one of honker's codes, the connection
//! keeps its state, the database stays sound, and healthy rows are still processed: a job enqueued last is claimed, and
//! no wait ends at "now" for ever.
//!
//! Watchers are left out: they act on files and wait. The tests in `tests/hostile` call them.

mod input;
mod sqlite;

use std::sync::OnceLock;

use honker_ext as _; // linked for its entry point
use input::Input;
use sqlite::{Connection, Value};

const STEPS_MAX: usize = 64;
/// A queue that no script uses.
const HEALTHY: &str = "healthy jobs";
const QUEUES: [&str; 3] = ["q", "w", HEALTHY];

/// The start of every script, and the names it can use.
struct World {
    image: Vec<u8>,
    functions: Vec<(String, usize)>,
    function_keys: Vec<String>,
    columns: Vec<(String, String)>,
    column_keys: Vec<String>,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let conn = Connection::open(None);
        conn.run("SELECT honker_bootstrap()", &[]).expect("an empty database");
        for (queue, delay) in [("q", 0), ("q", 0), ("q", 3_600), ("w", 0)] {
            let enqueue = "SELECT honker_enqueue(?, '{}', NULL, ?, 0, 3, NULL)";
            conn.run(enqueue, &[Value::text(queue), Value::Integer(delay)]).expect("a job");
        }
        conn.run("SELECT honker_claim_batch('q', 'w', 1, 1.5)", &[]).expect("a claim");
        conn.run("SELECT honker_scheduler_register('q', 'q', '@every 1s', '{}', 0, NULL)", &[]).expect("a schedule");
        for publish in ["honker_stream_publish('q', NULL, '1')", "notify('q', '1')", "honker_lock_acquire('q', 'w', 9)"]
        {
            conn.run(&format!("SELECT {publish}"), &[]).expect("an event");
        }
        let (image, functions, columns) = (conn.image(), functions(&conn), columns(&conn));
        conn.close();
        let function_keys = functions.iter().map(|(name, arity)| format!("{name}/{arity}")).collect();
        let column_keys = columns.iter().map(|(table, column)| format!("{table}.{column}")).collect();
        World { image, functions, function_keys, columns, column_keys }
    })
}

/// Names and numbers of arguments of all functions that stay within the database.
fn functions(conn: &Connection) -> Vec<(String, usize)> {
    let sql = "SELECT name, narg FROM pragma_function_list
               WHERE (name GLOB 'honker_*' OR name = 'notify')
                 AND name NOT IN ('honker_update_watcher_open', 'honker_update_watcher_wait')
               ORDER BY name, narg";
    let rows = conn.rows(sql, &[]).expect("a list of functions");
    let functions: Vec<_> = rows.iter().map(|row| (text(&row[0]), count(&row[1]))).collect();
    assert!(functions.len() > 50, "{functions:?}");
    functions
}

/// Every column of every table, sqlite_sequence and the schema's own version included.
fn columns(conn: &Connection) -> Vec<(String, String)> {
    let sql = "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'";
    conn.rows(sql, &[]).expect("a list of columns").iter().map(|row| (text(&row[0]), text(&row[1]))).collect()
}

fn text(value: &Value) -> String {
    let Value::Text(text) = value else { panic!("{value:?} is no text") };
    String::from_utf8(text.clone()).expect("UTF-8")
}

fn count(value: &Value) -> usize {
    let Value::Integer(count) = value else { panic!("{value:?} is no integer") };
    usize::try_from(*count).expect("a number of arguments")
}

/// Runs one input.
///
/// # Panics
/// A promise is broken.
pub fn run(data: &[u8]) {
    let conn = Connection::open(Some(&world().image));
    let mut input = Input::new(data);
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        step(&conn, &mut input);
    }
    if !conn.is_autocommit() {
        conn.run("ROLLBACK", &[]).expect("a transaction is open");
    }
    check_progress(&conn);
    check_soundness(&conn);
    conn.close();
}

fn step(conn: &Connection, input: &mut Input<'_>) {
    match input.byte() % 16 {
        0 => {
            let _ =
                conn.run(input.choose::<&str>(&["BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", "SAVEPOINT s"]), &[]);
        }
        1..=5 => spoil(conn, input),
        6 => {
            call(conn, input, "CREATE TEMP TABLE IF NOT EXISTS kept AS SELECT 1 AS x", "INSERT INTO temp.kept SELECT ")
        }
        _ => call(conn, input, "", "SELECT "),
    }
}

/// Calls a function, in a read or inside a statement that writes.
fn call(conn: &Connection, input: &mut Input<'_>, before: &str, position: &str) {
    let (name, arity) = &world().functions[input.choose_named(&world().function_keys)];
    let values: Vec<Value> = (0..*arity).map(|_| input.value()).collect();
    if !before.is_empty() && conn.run(before, &[]).is_err() {
        return;
    }
    let was_autocommit = conn.is_autocommit();
    let holes = vec!["?"; *arity].join(", ");
    if let Err(message) = conn.run(&format!("{position}{name}({holes})"), &values) {
        let code = message.split(':').next().unwrap_or_default();
        let is_ours = code.starts_with("HONKER_") && code != "HONKER_INTERNAL";
        assert!(is_ours, "{name}({values:?}) failed with {message:?}");
        // SQLite itself ends a transaction when a table is full, as after a hand-written last id.
        if code == "HONKER_FULL" {
            return;
        }
    }
    assert_eq!(conn.is_autocommit(), was_autocommit, "{name}({values:?}) began or ended a transaction");
}

/// Writes into one row, into all, or into a new one. Constraints may reject it.
fn spoil(conn: &Connection, input: &mut Input<'_>) {
    let (table, column) = &world().columns[input.choose_named(&world().column_keys)];
    let form = input.byte();
    let value = input.value();
    let sql = match form % 4 {
        0 => format!("UPDATE {table} SET {column} = ?1"),
        1 => format!("INSERT OR IGNORE INTO {table} ({column}) VALUES (?1)"),
        2 => format!(
            "INSERT OR REPLACE INTO _honker_live (id, queue, payload, state, run_at, {column})
             SELECT NULL, 'q', '{{}}', 'pending', 0, ?1"
        ),
        _ => format!(
            "UPDATE {table} SET {column} = ?1 WHERE rowid = (SELECT rowid FROM {table} LIMIT 1 OFFSET {})",
            form / 4
        ),
    };
    let _refused = conn.run(&sql, &[value]);
}

/// Corrupt rows neither stop a claim nor keep a worker or a scheduler from sleeping.
fn check_progress(conn: &Connection) {
    // A hand-written id may have used up the ids, and a hand-written version may have closed the file. Then the error
    // reports it, and there is nothing to claim.
    let _ = conn.run("SELECT honker_queue_resume(?)", &[Value::text(HEALTHY)]);
    // A hand-written minimum keeps this version from claiming, as it should.
    let _ = conn.run("UPDATE _honker_meta SET value = 0 WHERE key = 'min_writer_version'", &[]);
    let enqueue = "SELECT honker_enqueue(?, '{}', NULL, NULL, 0, 3, NULL)";
    let enqueued = conn.run(enqueue, &[Value::text(HEALTHY)]);
    let mut claimed = 0;
    for queue in QUEUES {
        claimed = drain(conn, queue);
    }
    match enqueued {
        Ok(_) => assert!(claimed > 0, "the healthy job was not claimed"),
        Err(message) => assert!(message.starts_with("HONKER_FULL: "), "{message}"),
    }
    let second = conn.run("SELECT unixepoch()", &[]).expect("a clock").swap_remove(0);
    match conn.run("SELECT honker_scheduler_tick(?)", std::slice::from_ref(&second)) {
        Ok(_) => {
            let soonest = conn.run("SELECT honker_scheduler_soonest()", &[]).expect("a time or none");
            let (at, second) = (soonest[0].number().expect("a number"), second.number().expect("a number"));
            assert!(at == 0.0 || at > second, "a tick at {second} has left a boundary at {at}");
        }
        Err(message) => assert!(message.starts_with("HONKER_FULL: "), "{message}"),
    }
}

/// Claims until the queue is empty, and returns the number of jobs. Each claim must make progress.
fn drain(conn: &Connection, queue: &str) -> usize {
    let mut jobs = 0;
    for _ in 0..STEPS_MAX * 4 {
        let claim = "SELECT honker_claim_batch(?, 'w', 100, 600)";
        let claimed = conn.run(claim, &[Value::text(queue)]).expect("spoiled rows are passed over");
        let claimed = text(&claimed[0]).matches("\"claim_expires_at\":").count();
        jobs += claimed;
        let next = conn.run("SELECT honker_queue_next_claim_at(?), unixepoch()", &[Value::text(queue)]);
        let next = next.expect("spoiled rows are passed over");
        let (at, second) = (next[0].number().expect("a number"), next[1].number().expect("a number"));
        if claimed == 0 && (at == 0.0 || at > second) {
            return jobs;
        }
    }
    panic!("{queue} has work \"now\" for ever, and no claim gets it");
}

fn check_soundness(conn: &Connection) {
    let found = conn.run("PRAGMA integrity_check", &[]).expect("a check");
    // Constraints are not honker's: a hand-written row may violate NOT NULL after the schema was changed.
    assert_eq!(text(&found[0]), "ok");
}
