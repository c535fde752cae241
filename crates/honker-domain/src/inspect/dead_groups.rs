//! The newest dead letters in groups of one task and one kind of error.

use std::collections::HashMap;

use rusqlite::{Row, params};
use serde::Serialize;

use super::look::Look;
use super::summary::{HEAD_CHARS, first_line};
use crate::clock::Instant;
use crate::queue::task_of;
use crate::{Ctx, Result, sql};

/// Characters of the beginning and of the end of an error that are read.
const ERROR_CHARS: i64 = 500;
/// Characters of a kind of error that is no class.
const KIND_CHARS: usize = 100;

/// A group of dead letters.
#[derive(Debug, Serialize)]
pub struct Group {
    /// The queue's name.
    pub queue: String,
    /// The task that they call, if they are calls.
    pub task: Option<String>,
    /// The class of the exception, or the beginning of an error that is none.
    pub error: String,
    /// How many there are.
    pub count: i64,
    /// The one that was met first.
    pub newest_id: i64,
    /// When it died.
    pub newest_at: Option<Instant>,
    /// The first line of its error.
    pub example: String,
}

/// The groups of the dead letters that were looked at.
#[derive(Debug, Serialize)]
pub struct Groups {
    /// The largest first.
    pub groups: Vec<Group>,
    /// True if the bound of the call ended the look: the counts are those of the newest dead letters.
    pub is_bounded: bool,
    /// How many dead letters were looked at.
    pub looked_at: i64,
}

/// Groups the newest dead letters, of `queue` or of all, which died at or after `since`. At most `n` groups. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn dead_groups(ctx: &Ctx<'_>, queue: Option<&str>, since: Option<Instant>, n: usize) -> Result<Groups> {
    let head = i64::try_from(HEAD_CHARS).unwrap_or(i64::MAX);
    let mut look = Look::begin();
    let mut statement =
        ctx.prepare(if queue.is_some() { sql!("dead_newest_of_queue.sql") } else { sql!("dead_newest.sql") })?;
    let mut rows = match queue {
        Some(queue) => statement.cursor(params![head, ERROR_CHARS, queue])?,
        None => statement.cursor(params![head, ERROR_CHARS, i64::MAX])?,
    };
    let mut found: HashMap<(String, Option<String>, String), Group> = HashMap::new();
    let (mut looked_at, mut is_bounded) = (0, false);
    while let Some(row) = rows.next()? {
        if look.is_over() {
            is_bounded = true;
            break;
        }
        look.count();
        looked_at += 1;
        let one = read(row)?;
        if since.is_some_and(|since| one.newest_at.is_none_or(|at| at < since)) {
            // Those of a queue come in the order of their deaths, a time that was edited into a text first.
            if queue.is_some() && one.newest_at.is_some() {
                break;
            }
            continue;
        }
        let key = (one.queue.clone(), one.task.clone(), one.error.clone());
        found.entry(key).and_modify(|group| group.count += 1).or_insert(one);
    }
    let mut groups: Vec<Group> = found.into_values().collect();
    groups.sort_by_key(|group| (std::cmp::Reverse(group.count), std::cmp::Reverse(group.newest_id)));
    groups.truncate(n);
    Ok(Groups { groups, is_bounded, looked_at })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Group> {
    let text = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_str().unwrap_or_default().to_owned());
    let (beginning, end) = (text(4)?, text(5)?);
    Ok(Group {
        queue: text(1)?,
        task: task_of(&text(3)?),
        error: kind_of(&beginning, &end),
        count: 1,
        newest_id: row.get(0)?,
        newest_at: Instant::from_stored(row.get_ref(2)?),
        example: first_line(&beginning).to_owned(),
    })
}

/// The class of the exception at the end of a traceback, or the beginning of the error up to a colon or a number, which would
/// tell apart what belongs together.
fn kind_of(beginning: &str, end: &str) -> String {
    if beginning.contains("Traceback (") {
        // The frames are indented, and the exception follows the last of them.
        let lines: Vec<&str> = end.lines().collect();
        let last_frame = lines.iter().rposition(|line| line.starts_with("  "));
        let class = lines.get(last_frame.map_or(0, |frame| frame + 1)).map_or("", |line| class_of(line));
        if !class.is_empty() {
            return class.to_owned();
        }
    }
    let line = first_line(beginning);
    let class = class_of(line);
    if !class.is_empty() && line.len() > class.len() {
        return class.to_owned();
    }
    let cut = line.find(|c: char| c == ':' || c.is_ascii_digit()).unwrap_or(line.len());
    line[..cut].trim_end().chars().take(KIND_CHARS).collect()
}

/// The dotted name with which a line begins, if a colon or nothing follows it.
fn class_of(line: &str) -> &str {
    let class = line.split(':').next().unwrap_or_default();
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    if class.split('.').all(is_name) { class } else { "" }
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    #[test]
    fn the_kind_of_an_error_is_its_class_or_its_beginning() {
        let python = "timed out\nTraceback (most recent call last):\n  File \"a.py\", line 3, in f\n    g()\nnet.Timeout: timed out\nafter 3 s\n";
        for (error, kind) in [
            (python, "net.Timeout"),
            (
                "x\nTraceback (most recent call last):\n  File \"a.py\", line 3, in f\nKeyError: 'Traceback ('\n",
                "KeyError",
            ),
            ("ValueError: bad", "ValueError"),
            ("max attempts exceeded", "max attempts exceeded"),
            ("expired", "expired"),
            ("parent 17 failed: boom", "parent"),
            ("HTTP 503 at 12:00", "HTTP"),
            ("", ""),
        ] {
            assert_eq!(kind_of(error, error), kind, "{error}");
        }
    }
}
