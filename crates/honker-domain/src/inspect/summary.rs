//! A job in a list: one line, its texts shortened.

use rusqlite::{Row, params};
use serde::Serialize;

use super::filter::Table;
use crate::clock::Instant;
use crate::queue::{Progress, task_of};
use crate::{Ctx, Result, sql};

/// Characters of a payload in a list, and of the first line of an error.
const SHOWN_CHARS: usize = 200;
/// Characters of a payload within which the name of its task is looked for.
pub(super) const HEAD_CHARS: usize = 1_000;

/// A job in a list.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The job's id.
    pub id: i64,
    /// The queue's name.
    pub queue: String,
    /// The task that it calls, if its payload is a call.
    pub task: Option<String>,
    /// As [`super::Shown`] names it, or as it is stored by a program that knows other states.
    pub state: String,
    /// Larger runs sooner.
    pub priority: i64,
    /// The key whose jobs share a limit.
    pub key: Option<String>,
    /// Claims so far.
    pub attempts: i64,
    /// Claims before it is dead-lettered.
    pub max_attempts: i64,
    /// When it was enqueued.
    pub created_at: Option<Instant>,
    /// Its time, of a live job or a dead letter.
    pub run_at: Option<Instant>,
    /// When it ended, of a dead letter or a finished job.
    pub ended_at: Option<Instant>,
    /// The worker of the last claim, as far as it is kept.
    pub worker_id: Option<String>,
    /// The first line of the last error.
    pub error: Option<String>,
    /// The beginning of its payload.
    pub payload: String,
    /// The progress that its handler has told.
    pub progress: Option<Progress>,
}

/// The job of this id in this table. Values of the wrong type, which were written by hand, are shown as none.
pub(super) fn summary(ctx: &Ctx<'_>, table: Table, id: i64) -> Result<Option<Summary>> {
    let sql = match table {
        Table::Live => sql!("row_live.sql"),
        Table::Dead => sql!("row_dead.sql"),
        Table::Finished => sql!("row_finished.sql"),
    };
    let head = i64::try_from(HEAD_CHARS).unwrap_or(i64::MAX);
    ctx.row(sql, params![id, head, i64::try_from(SHOWN_CHARS).unwrap_or(i64::MAX), ctx.now()], read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Summary> {
    let text = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_str().ok().map(str::to_owned));
    let integer = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_i64().unwrap_or(0));
    let instant = |index| Ok::<_, rusqlite::Error>(Instant::from_stored(row.get_ref(index)?));
    let payload = text(12)?.unwrap_or_default();
    let progress = match (row.get_ref(13)?.as_f64_lossy(), row.get_ref(14)?.as_f64_lossy()) {
        (Some(done), Some(total)) => Some(Progress { done, total, note: text(15)?, updated_at: instant(16)? }),
        _ => None,
    };
    Ok(Summary {
        id: row.get(0)?,
        queue: text(1)?.unwrap_or_default(),
        task: task_of(&payload),
        state: text(2)?.unwrap_or_default(),
        priority: integer(3)?,
        key: text(4)?,
        attempts: integer(5)?,
        max_attempts: integer(6)?,
        created_at: instant(7)?,
        run_at: instant(8)?,
        ended_at: instant(9)?,
        worker_id: text(10)?,
        error: text(11)?.map(|error| first_line(&error).to_owned()),
        payload: shortened(&payload, SHOWN_CHARS).to_owned(),
        progress,
    })
}

/// Numbers of either type.
trait Lossy {
    fn as_f64_lossy(&self) -> Option<f64>;
}

impl Lossy for rusqlite::types::ValueRef<'_> {
    #[expect(clippy::cast_precision_loss, reason = "amounts stay below 2^53")]
    fn as_f64_lossy(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Real(value) => Some(*value),
            _ => None,
        }
    }
}

pub(super) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn shortened(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_text_is_shortened_between_characters() {
        assert_eq!(shortened("\u{e9}\u{e9}\u{e9}", 2), "\u{e9}\u{e9}");
        assert_eq!(shortened("ab", 2), "ab");
    }
}
