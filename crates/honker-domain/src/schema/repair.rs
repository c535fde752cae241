//! Making again the tables, columns, indexes and views that someone has dropped from a file of ours.
//!
//! The version says that they were there, so one that is missing was dropped since. Its contents are gone: a table comes
//! back empty, a column with its default, an index filled. Rows that are there stay.
//!
//! `_honker_meta` holds the version itself. Without it the file is of ours if it has an object that only we make. Its rows
//! are then derived: see [`restore_meta`].

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::{MIGRATIONS, is_of_reference, shared, store_version};
use crate::clock::Reading;
use crate::statements::execute_all;
use crate::{Error, Result};

/// True if no object and no column is missing. Reads the schema, which every connection has in memory.
pub(super) fn is_whole(conn: &Connection) -> Result<bool> {
    let present = present(conn)?;
    if !created().all(|name| present.contains(name)) {
        return Ok(false);
    }
    let columns = columns(conn)?;
    Ok(created_columns().all(|(table, column)| columns.contains(&(table.to_owned(), column.to_owned()))))
}

/// True for a file without a version that has objects which neither the reference nor its later releases make.
pub(super) fn is_of_ours(conn: &Connection) -> Result<bool> {
    const OURS: [&str; 2] = ["_honker_token_buckets", "_honker_retention"];
    Ok(present(conn)?.iter().any(|name| name.starts_with(INDEX_PREFIX) || OURS.contains(&name.as_str())))
}

const INDEX_PREFIX: &str = "_honker_index_";

/// Makes the missing objects and columns as a new file would have them. `found` is the version of the file; 0 without the
/// table that holds it.
pub(super) fn repair(conn: &Connection, found: i64) -> Result<()> {
    if found == 0 {
        // It may be there without the column that holds the version.
        execute_all(conn, "DROP TABLE IF EXISTS main._honker_meta")?;
    }
    let present = present(conn)?;
    let model = Connection::open_in_memory()?;
    for (_, migration) in MIGRATIONS {
        model.execute_batch(migration)?;
    }
    make(conn, &model, &present, "type = 'table'")?;
    add_columns(conn, &model)?;
    if found == 0 {
        // The file may be of a version whose indexes had other names.
        execute_all(conn, include_str!("own_indexes.sql"))?;
    }
    let present = self::present(conn)?;
    make(conn, &model, &present, "type = 'index'")?;
    make(conn, &model, &present, "type = 'view'")?;
    if found == 0 { restore_meta(conn, &present) } else { Ok(()) }
}

/// Makes the objects of one kind that are missing.
fn make(conn: &Connection, model: &Connection, present: &BTreeSet<String>, kind: &str) -> Result<()> {
    let mut objects = model.prepare(&format!(
        "SELECT name, sql FROM main.sqlite_master WHERE sql IS NOT NULL AND substr(name, 1, 8) = '_honker_' AND {kind}"
    ))?;
    let objects = objects.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    for object in objects {
        let (name, sql) = object?;
        if !present.contains(&name) {
            // A bare name of an index would follow a temporary table of the same name.
            execute_all(conn, &sql.replacen(&format!(" {name}"), &format!(" main.{name}"), 1))?;
        }
    }
    Ok(())
}

/// Adds the missing columns with their defaults.
fn add_columns(conn: &Connection, model: &Connection) -> Result<()> {
    let columns = columns(conn)?;
    for (table, column) in created_columns() {
        if !columns.contains(&(table.to_owned(), column.to_owned())) {
            let declaration = declaration(model, table, column)?;
            let add = format!("ALTER TABLE main.{table} ADD COLUMN {column} {declaration}");
            execute_all(conn, &add).map_err(|error| not_addable(table, column, &error))?;
        }
    }
    Ok(())
}

fn not_addable(table: &str, column: &str, error: &Error) -> Error {
    Error::MalformedRow(format!(
        "column {column} of {table} is gone, and its values cannot be made again ({error}); restore the file from a \
         backup, or drop the table {table} and give up its rows, then call honker_bootstrap() again"
    ))
}

/// The type and the constraints of a column, as SQL.
fn declaration(model: &Connection, table: &str, column: &str) -> Result<String> {
    let sql = "SELECT type, \"notnull\", dflt_value, pk FROM pragma_table_info(?1, 'main') WHERE name = ?2";
    Ok(model.query_row(sql, [table, column], |row| {
        let (mut declaration, not_null, default, key) =
            (row.get::<_, String>(0)?, row.get::<_, bool>(1)?, row.get::<_, Option<String>>(2)?, row.get::<_, i64>(3)?);
        if key > 0 {
            declaration += " PRIMARY KEY";
        }
        if not_null {
            declaration += " NOT NULL";
        }
        Ok(declaration + &default.map_or(String::new(), |default| format!(" DEFAULT ({default})")))
    })?)
}

/// Fills the table of facts about the file, which was dropped.
///
/// The next fencing token must be larger than all that were handed out. Those counted from 0, or from an earlier repair,
/// by one for each new holder of a lock; so milliseconds since 1970 are larger, unless a file has had a new holder in
/// each millisecond. The mark of a shared file is set again if the file has an index that only the reference makes.
///
/// # Errors
/// [`Error::MalformedRow`] if the file has objects of a newer honker: its version and its rules are unknown.
fn restore_meta(conn: &Connection, present: &BTreeSet<String>) -> Result<()> {
    if let Some(newer) =
        present.iter().find(|name| name.starts_with(INDEX_PREFIX) && !created().any(|ours| ours == *name))
    {
        let problem = "the table _honker_meta is gone, and a newer honker made this file";
        return Err(Error::MalformedRow(format!("{problem} (it has {newer}); call honker_bootstrap() of that honker")));
    }
    let now_ms = Reading::take().floor().as_ms();
    execute_all(conn, &format!(
        "INSERT INTO main._honker_meta (key, value)
         SELECT 'lock_token', max({now_ms}, ifnull(max(token), 0)) FROM main._honker_locks WHERE typeof(token) = 'integer';
         INSERT INTO main._honker_meta (key, value) VALUES ('min_writer_version', {MIN_WRITER_VERSION})"
    ))?;
    store_version(conn)?;
    if is_of_reference(conn, 1)? {
        shared::share(conn)?;
    }
    Ok(())
}

/// The minimum writer version that the migrations leave behind; a test compares it with a new file.
const MIN_WRITER_VERSION: i64 = 8;

fn present(conn: &Connection) -> Result<BTreeSet<String>> {
    let mut names = conn.prepare("SELECT name FROM main.sqlite_master WHERE substr(name, 1, 8) = '_honker_'")?;
    Ok(names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

fn columns(conn: &Connection) -> Result<BTreeSet<(String, String)>> {
    let mut columns = conn.prepare(
        "SELECT t.name, c.name FROM main.sqlite_master AS t JOIN pragma_table_info(t.name, 'main') AS c
         WHERE t.type = 'table' AND substr(t.name, 1, 8) = '_honker_'",
    )?;
    Ok(columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?)
}

/// The names of the objects that the migrations make.
fn created() -> impl Iterator<Item = &'static str> {
    lines().filter_map(|line| {
        let words = line.strip_prefix("CREATE ")?.split([' ', '(']);
        words.map(|word| word.strip_prefix("main.").unwrap_or(word)).find(|word| word.starts_with("_honker_"))
    })
}

/// The tables and columns that the migrations make: a column has a line to itself, which is indented within CREATE TABLE.
fn created_columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut table = None;
    lines().filter_map(move |line| {
        if let Some(column) = line.strip_prefix("  ") {
            let name =
                column.split(' ').next().filter(|name| name.starts_with(|first: char| first.is_ascii_lowercase()));
            return table.zip(name);
        }
        table = line.strip_prefix("CREATE TABLE ").and_then(|rest| {
            let name = rest.trim_start_matches("IF NOT EXISTS ").strip_prefix("main.")?;
            name.split(' ').next()
        });
        line.strip_prefix("ALTER TABLE main.").and_then(|rest| {
            let (table, declaration) = rest.split_once(" ADD COLUMN ")?;
            Some((table, declaration.split(' ').next()?))
        })
    })
}

fn lines() -> impl Iterator<Item = &'static str> {
    MIGRATIONS.into_iter().flat_map(|(_, migration)| migration.lines())
}
