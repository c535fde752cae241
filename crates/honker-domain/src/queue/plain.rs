//! Moves of several plain jobs in one statement: the claim and the success of a round of a worker.
//!
//! A statement for each job would open the table and its six indexes each time, which takes as long as the change of the row
//! itself. That pays for many jobs only. [`transition`](super::transition) names the states; a job with ties is left to it.
//!
//! - *The process dies.* The caller's bracket holds all of it, so a crash in between undoes every move of the call.
//! - *Two processes.* The jobs were read under the write lock, or in the snapshot in which it was taken.
//! - *A trigger of the application* that skips a row makes the call an error, as for one job.

use rusqlite::{ToSql, params_from_iter};

use super::held::Held;
use super::slack;
use super::transition::{Move, leave};
use crate::clock::Instant;
use crate::moves::{self, Kind};
use crate::statements::Sql;
use crate::{Ctx, Error, Result, sql};

/// The jobs that one statement names.
const AT_ONCE: usize = 16;
/// The jobs from which one statement pays. SQLite makes a temporary index of the ids for each, as long as the change of five
/// jobs: with two jobs in a round, one statement for both took a tenth longer (counted in instructions).
const LEAST_TAKEN: usize = 8;
/// Likewise for acks, which are two statements.
const LEAST_ACKED: usize = 14;

/// Ids for a statement, NULL behind the last.
fn places(ids: impl IntoIterator<Item = i64>) -> [Option<i64>; AT_ONCE] {
    let mut places = [None; AT_ONCE];
    for (place, id) in places.iter_mut().zip(ids) {
        *place = Some(id);
    }
    places
}

fn execute(ctx: &Ctx<'_>, sql: &'static Sql, terms: &[&dyn ToSql], places: &[Option<i64>; AT_ONCE]) -> Result<usize> {
    ctx.execute(sql, params_from_iter(terms.iter().copied().chain(places.iter().map(|id| id as &dyn ToSql))))
}

/// Leases plain jobs that wait, as [`Move::Take`] does with one.
pub(super) fn take(ctx: &Ctx<'_>, ids: &[i64], worker_id: &str, lease_end: Instant) -> Result<()> {
    for some in ids.chunks(AT_ONCE) {
        if some.len() < LEAST_TAKEN {
            for id in some {
                leave(ctx, &Move::Take { id: *id, worker_id, lease_end, ties: 0 })?;
            }
            continue;
        }
        let slack = slack::leased(worker_id, lease_end);
        let places = places(some.iter().copied());
        if execute(ctx, sql!("take_many.sql"), &[&worker_id, &lease_end, &slack], &places)? != some.len() {
            return Err(Error::skipped_row());
        }
    }
    Ok(())
}

/// The number of claims at the beginning that [`ack`] takes at once: those of one worker and one attempt, each job once.
pub(super) fn alike<'a>(claims: impl IntoIterator<Item = Held<'a>>) -> usize {
    let mut first = None;
    let mut seen = [None; AT_ONCE];
    let mut count = 0;
    for held in claims.into_iter().take(AT_ONCE) {
        let terms = (held.worker_id, held.attempt);
        if *first.get_or_insert(terms) != terms || seen.contains(&Some(held.id)) {
            break;
        }
        seen[count] = Some(held.id);
        count += 1;
    }
    count
}

/// Ends jobs that succeeded, claims that are [`alike`]. For each: true if it was a plain job whose claim was held. The others
/// are left as they are, and so are a few; see [`Move::Ack`].
///
/// A plain job has no dependents, so no other job waits for its result.
pub(super) fn ack(ctx: &Ctx<'_>, claims: &[Held<'_>]) -> Result<[bool; AT_ONCE]> {
    let mut is_acked = [false; AT_ONCE];
    let Some(Held { worker_id, attempt, .. }) = claims.first().filter(|_| claims.len() >= LEAST_ACKED) else {
        return Ok(is_acked);
    };
    let (now, second, is_recorded) = (ctx.now(), ctx.second(), ctx.recording()?.is_on());
    let terms: [&dyn ToSql; 5] = [worker_id, attempt, &now, &second, &is_recorded];
    let named = places(claims.iter().map(|held| held.id));
    let row = params_from_iter(terms.into_iter().chain(named.iter().map(|id| id as &dyn ToSql)));
    let mut found = 0;
    ctx.rows(sql!("held_many.sql"), row, |row| {
        let id: i64 = row.get(0)?;
        let Some(index) = claims.iter().position(|held| held.id == id) else { return Ok(()) };
        (is_acked[index], found) = (true, found + 1);
        if is_recorded {
            moves::note_row(ctx, Kind::Done, &claims[index], row.get_ref(1)?, row.get_ref(2)?);
        }
        Ok(())
    })?;
    let acked = places(claims.iter().zip(is_acked).filter(|(_, is_acked)| *is_acked).map(|(held, _)| held.id));
    if found > 0 && execute(ctx, sql!("ack_many.sql"), &[], &acked)? != found {
        return Err(Error::skipped_row());
    }
    Ok(is_acked)
}
