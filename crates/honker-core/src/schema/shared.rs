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

use crate::{Ctx, Result, sql};

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
/// Whatever SQLite reports.
pub fn set_shared(ctx: &Ctx<'_>, shared: bool) -> Result<bool> {
    let was_shared = is_shared(ctx)?;
    if shared && !was_shared {
        share(ctx.conn())?;
    } else if !shared {
        ctx.execute(sql!("unshare.sql"), [])?;
    }
    Ok(was_shared != shared)
}

/// Marks the file and rounds its rows.
pub(super) fn share(conn: &Connection) -> Result<()> {
    Ok(conn.execute_batch(SHARE)?)
}
