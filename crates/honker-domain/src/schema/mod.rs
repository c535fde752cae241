//! The tables, and how a file gets to the newest version of them.
//!
//! `_honker_meta` holds the version. A file of the reference has no such table and counts as version 0: migration 1
//! finds its tables present and completes them, the later ones add ours. A fresh file gets `fresh.sql` instead, which
//! a test compares with the result of all migrations. So a fresh file and an upgraded one end with the same objects,
//! except that the upgraded one keeps the reference's own indexes.
//!
//! [`upgrade`] must run inside a write transaction: it reads the version again under the lock, so of sixteen
//! processes that open one new file the first upgrades and fifteen find nothing to do; a process that dies in the
//! middle leaves the file as it was.

mod repair;
mod shared;

use rusqlite::{Connection, OptionalExtension};

use crate::statements::{Sql, execute_all};
use crate::{Ctx, Error, Result, sql};

/// The migrations in order, each with the version that it brings a file to.
const MIGRATIONS: [(i64, &str); 14] = [
    (1, include_str!("0001_reference_tables.sql")),
    (2, include_str!("0002_flat_claims.sql")),
    (3, include_str!("0003_dead_by_age.sql")),
    (4, include_str!("0004_token_buckets.sql")),
    (5, include_str!("0005_retention.sql")),
    (6, include_str!("0006_slack.sql")),
    (7, include_str!("0007_min_writer.sql")),
    (8, include_str!("0008_shared.sql")),
    (9, include_str!("0009_unknown_since.sql")),
    (10, include_str!("0010_flow.sql")),
    (11, include_str!("0011_overlap.sql")),
    (12, include_str!("0012_key_lines.sql")),
    (13, include_str!("0013_operating.sql")),
    (14, include_str!("0014_set_back.sql")),
];

pub use shared::{Hazard, hazards, is_shared, set_shared};

/// The statement that gives a journal to a transition which is called inside a statement of the host that writes.
pub static CARRIER: Sql = Sql::new(include_str!("carrier.sql"));

/// The statement that takes the write lock and changes nothing.
pub static WRITE_LOCK: Sql = Sql::new(include_str!("write_lock.sql"));

/// The schema version that this build reads and writes.
pub const VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// The version that knows the rules of flow control.
const FLOW_VERSION: i64 = 10;

const NO_VERSION: &str = "the row schema_version of _honker_meta is gone or is no version; restore it";

/// Columns that releases of the reference added over time: table, column, declaration.
const LATER_REFERENCE_COLUMNS: [(&str, &str, &str); 2] = [
    ("_honker_scheduler_tasks", "enabled", "INTEGER NOT NULL DEFAULT 1"),
    ("_honker_scheduler_tasks", "max_attempts", "INTEGER NOT NULL DEFAULT 3"),
];

/// True if the file needs no upgrade and no repair. Reads only.
///
/// # Errors
/// [`Error::SchemaTooNew`] for a file of a newer honker.
pub fn is_current(conn: &Connection) -> Result<bool> {
    let found = version(conn)?;
    if found > VERSION {
        return Err(Error::SchemaTooNew { found, supported: VERSION });
    }
    Ok(found == VERSION && repair::is_whole(conn)?)
}

/// Brings the file to [`VERSION`], or makes its missing objects again; writes nothing when it is whole.
///
/// # Errors
/// [`Error::SchemaTooNew`], or whatever SQLite reports.
pub fn upgrade(conn: &Connection) -> Result<()> {
    if is_current(conn)? {
        return Ok(());
    }
    let found = version(conn)?;
    if found == VERSION || (found == 0 && repair::is_of_ours(conn)?) {
        return repair::repair(conn, found);
    }
    if found == 0 && !has_any_table(conn)? {
        // One statement for each object. The migrations alter tables, and SQLite reads the whole schema again at each
        // ALTER: half a minute in a file with 16,000 tables of the application.
        return execute_all(conn, include_str!("fresh.sql"));
    }
    migrate(conn, found)
}

/// Runs the migrations after a version, whatever the file holds. On an empty file they make what `fresh.sql` makes.
///
/// # Errors
/// Whatever SQLite reports.
pub fn migrate(conn: &Connection, found: i64) -> Result<()> {
    let is_of_reference = is_of_reference(conn, found)?;
    for (version, migration) in MIGRATIONS.into_iter().filter(|(version, _)| *version > found) {
        execute_all(conn, &without_present_columns(conn, migration)?)?;
        match version {
            1 => complete_reference_tables(conn)?,
            // Up to then our indexes had names that later releases of the reference may use for theirs.
            8 if found > 1 => execute_all(conn, include_str!("own_indexes.sql"))?,
            _ => {}
        }
    }
    store_version(conn)?;
    if is_of_reference {
        // A schedule that the reference cannot read is left as it is, and listed by `hazards`.
        shared::share(conn)?;
    }
    Ok(())
}

fn store_version(conn: &Connection) -> Result<()> {
    let row = format!("INSERT INTO main._honker_meta (key, value) VALUES ('schema_version', {VERSION})");
    execute_all(conn, &format!("{row} ON CONFLICT (key) DO UPDATE SET value = excluded.value"))
}

/// True if the file holds an object with a name of honker's, ours or the reference's.
fn has_any_table(conn: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE name GLOB '_honker_*')";
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}

/// True if the reference made the file: before our first version it is the only maker of tables with these names. Later its
/// own index shows it, which we never make; it is dropped once the last process of the reference is gone.
fn is_of_reference(conn: &Connection, found: i64) -> Result<bool> {
    let objects = match found {
        0 => "name IN ('_honker_live', '_honker_notifications')",
        1..8 => "name = '_honker_live_claim'",
        _ => return Ok(false),
    };
    let sql = format!("SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE {objects})");
    Ok(conn.query_row(&sql, [], |row| row.get(0))?)
}

/// True if an application has put a trigger or a unique index on one of honker's tables, which have none themselves. Reads
/// only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn has_additions(ctx: &Ctx<'_>) -> Result<bool> {
    Ok(ctx.row(sql!("has_additions.sql"), [], |row| row.get(0))?.unwrap_or(false))
}

/// Refuses a write that might break the rules of a newer honker. Claims read the same number with their first look.
///
/// # Errors
/// [`Error::SchemaTooNew`] if the file demands a newer writer.
pub(crate) fn require_writer(ctx: &Ctx<'_>) -> Result<()> {
    check_writer(ctx.row(sql!("min_writer.sql"), [], |row| Ok(row.get_ref(0)?.as_i64().ok()))?.flatten())
}

/// As [`require_writer`], with the number that the file holds. One that was edited into no integer demands nothing.
///
/// # Errors
/// [`Error::SchemaTooNew`] if it is larger than [`VERSION`].
pub(crate) fn check_writer(demanded: Option<i64>) -> Result<()> {
    match demanded {
        Some(found) if found > VERSION => Err(Error::SchemaTooNew { found, supported: VERSION }),
        _ => Ok(()),
    }
}

/// Makes the file demand a writer that knows the rules of flow control. By the first setting, key, unique key or dependency of
/// the file: an older process would end such jobs without their effects. Changes no row later.
///
/// # Errors
/// Whatever SQLite reports.
pub(crate) fn demand_writer(ctx: &Ctx<'_>) -> Result<()> {
    ctx.execute(sql!("demand_writer.sql"), [FLOW_VERSION]).map(drop)
}

fn version(conn: &Connection) -> Result<i64> {
    if !has_column(conn, "_honker_meta", "value")? {
        return Ok(0);
    }
    let stored = conn
        .query_row("SELECT value FROM main._honker_meta WHERE key = 'schema_version'", [], |row| row.get(0))
        .optional()?;
    // The table and its row are made together, so without the row the version to upgrade from is unknown.
    stored.filter(|version| *version > 0).ok_or_else(|| Error::MalformedRow(NO_VERSION.to_owned()))
}

/// A migration without the columns that a newer release of the reference has added to its tables under our names. Each
/// is added by a line of its own.
fn without_present_columns(conn: &Connection, migration: &str) -> Result<String> {
    let mut kept = String::with_capacity(migration.len());
    for line in migration.lines() {
        let added = line.strip_prefix("ALTER TABLE main.").and_then(|rest| rest.split_once(" ADD COLUMN "));
        let is_there = match added.map(|(table, declaration)| (table, declaration.split(' ').next().unwrap_or(""))) {
            Some((table, column)) => has_column(conn, table, column)?,
            None => false,
        };
        if !is_there {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    Ok(kept)
}

fn has_column(conn: &Connection, table: &str, column: &str) -> Result<bool> {
    let sql = "SELECT count(*) FROM pragma_table_info(?1, 'main') WHERE name = ?2";
    Ok(conn.query_row(sql, [table, column], |row| row.get(0))?)
}

fn complete_reference_tables(conn: &Connection) -> Result<()> {
    for (table, column, declaration) in LATER_REFERENCE_COLUMNS {
        if !has_column(conn, table, column)? {
            execute_all(conn, &format!("ALTER TABLE main.{table} ADD COLUMN {column} {declaration}"))?;
        }
    }
    Ok(())
}
