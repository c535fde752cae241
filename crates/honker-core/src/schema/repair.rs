//! Making again the tables, indexes and views of a current file that someone has dropped.
//!
//! The version says that they were there, so one that is missing was dropped since. Its rows are gone; the object comes
//! back empty, and an index comes back filled. The table of the version itself is no case for this: without it the file
//! counts as one of the reference.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::MIGRATIONS;
use crate::Result;
use crate::statements::execute_all;

/// True if no object is missing. Reads the schema, which every connection has in memory.
pub(super) fn is_whole(conn: &Connection) -> Result<bool> {
    let present = present(conn)?;
    Ok(created().all(|name| present.contains(name)))
}

/// Makes the missing objects as a new file would have them.
pub(super) fn repair(conn: &Connection) -> Result<()> {
    let present = present(conn)?;
    let model = Connection::open_in_memory()?;
    for (_, migration) in MIGRATIONS {
        model.execute_batch(migration)?;
    }
    let mut objects = model.prepare(
        "SELECT name, sql FROM main.sqlite_master WHERE sql IS NOT NULL AND substr(name, 1, 8) = '_honker_'
         ORDER BY type = 'table' DESC, type = 'index' DESC",
    )?;
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

fn present(conn: &Connection) -> Result<BTreeSet<String>> {
    let mut names = conn.prepare("SELECT name FROM main.sqlite_master WHERE substr(name, 1, 8) = '_honker_'")?;
    Ok(names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// The names of the objects that the migrations make.
fn created() -> impl Iterator<Item = &'static str> {
    MIGRATIONS.into_iter().flat_map(|(_, migration)| migration.lines()).filter_map(|line| {
        let words = line.strip_prefix("CREATE ")?.split([' ', '(']);
        words.map(|word| word.strip_prefix("main.").unwrap_or(word)).find(|word| word.starts_with("_honker_"))
    })
}
