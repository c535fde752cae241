//! Files that the reference works beside us.
//!
//! The reference reads INTEGER only: one instant with a fraction makes its calls fail or its jobs late. So in a file that it
//! made, or that is marked later, every instant is stored in whole seconds, rounded so that nothing is early. A file of ours
//! keeps milliseconds.
//!
//! The mark is the row `shared` of `_honker_meta`. It is never cached beyond a transaction: another process may set it while
//! ours has the file open. It costs nothing where instants are whole, since it is read for those with a fraction only:
//! by the statement that stores the instant, or before it in the same transaction. So a write that waits for the lock behind
//! the process that sets the mark finds the mark. Should that process die, its transaction is rolled back: neither mark
//! nor rounded rows.

use rusqlite::Connection;

use serde::Serialize;

use crate::statements::execute_all;
use crate::{Ctx, Error, Result, schedule, sql};

/// Statements that mark a file and round its rows.
const SHARE: &str = include_str!("share.sql");

/// True if the file is shared with the reference. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn is_shared(ctx: &Ctx<'_>) -> Result<bool> {
    Ok(ctx.row(sql!("is_shared.sql"), [], |_| Ok(()))?.is_some())
}

/// Marks the file as shared with the reference and rounds its rows, or removes the mark. True if that changed the mark. Run
/// in a write transaction.
///
/// # Errors
/// `HONKER_INVALID_ARGUMENT` if a schedule has no form that the reference reads; or whatever SQLite reports.
pub fn set_shared(ctx: &Ctx<'_>, shared: bool) -> Result<bool> {
    let was_shared = is_shared(ctx)?;
    if shared && !was_shared {
        let unreadable = share(ctx.conn())?;
        if let Some(name) = unreadable.first() {
            let problem =
                format!("is refused: the reference cannot read the schedule {name:?}; change or remove it first");
            return Err(Error::invalid("is_shared", problem));
        }
    } else if !shared {
        ctx.execute(sql!("unshare.sql"), [])?;
    }
    Ok(was_shared != shared)
}

/// Marks the file and rounds its rows. Returns the schedules that the reference cannot read.
pub(super) fn share(conn: &Connection) -> Result<Vec<String>> {
    execute_all(conn, SHARE)?;
    schedule::make_numeric(conn)
}

/// A fact about the file that makes honker and the reference act differently.
#[derive(Debug, Serialize)]
pub struct Hazard {
    /// The kind of the thing concerned: `schedule` or `file`.
    pub kind: &'static str,
    /// Its name; empty for the file.
    pub name: String,
    /// The difference, and the next step.
    pub problem: &'static str,
}

/// The facts about the file that make honker and the reference act differently; none in a file of ours that the reference
/// has not opened. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn hazards(ctx: &Ctx<'_>) -> Result<Vec<Hazard>> {
    if ctx.is_shared()? {
        let of_schedule = |(name, problem)| Hazard { kind: "schedule", name, problem };
        return Ok(schedule::hazards(ctx)?.into_iter().map(of_schedule).collect());
    }
    let opened = ctx.row(sql!("opened_by_reference.sql"), [], |_| Ok(()))?;
    let problem = "the reference has opened this file, and it fails on instants with a fraction; run \
        SELECT honker_file_share(1), or drop its index _honker_live_claim if it is gone for good";
    Ok(opened.map(|()| Hazard { kind: "file", name: String::new(), problem }).into_iter().collect())
}
