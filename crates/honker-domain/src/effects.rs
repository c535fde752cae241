//! The effects of state changes, collected during a call and written once at its end.
//!
//! A call may move thousands of jobs. Work that follows from a move, and that may be shared between moves, is noted here
//! by `queue::transition` and written by [`crate::Ctx::flush`] inside the bracket of the call: ten new dead letters of one
//! queue take one look at that queue's policy. An effect that a later statement of the same call must see
//! needs a flush before that statement; `honker_work` flushes between settling and claiming.
//!
//! Effects are written in this order, each kind for all moves: the ends of parents and the records of ended jobs, the
//! promotion of jobs whose key has room, retention. The end of a parent moves its children, which have effects of their
//! own: `flush` goes on until there are none.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::EXPIRED_ROWS_PER_WRITE;
use crate::queue::Left;
use crate::{Ctx, Result, queue, result};

/// What is left to do for the moves of a call.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Jobs with ties that have left their state, in the order of their moves.
    left: Vec<Left>,
    /// Dead letters that other jobs wait for, and which live again.
    revived: Vec<i64>,
    /// Keys, with their queues, that may have room.
    keys: BTreeSet<(String, String)>,
    /// The dead letters made, by queue: its retention policy may give up older ones.
    dead_letters: BTreeMap<String, Vec<i64>>,
    /// Jobs that were cancelled: each leaves a trace for callers that wait for its result.
    cancelled: Vec<i64>,
    /// Results that were saved: each pays for the deletion of a few expired ones.
    results: i64,
}

impl Effects {
    pub(crate) fn left(&mut self, left: Left) {
        if let Some(key) = &left.key {
            self.keys.insert((left.queue.clone(), key.clone()));
        }
        self.left.push(left);
    }

    pub(crate) fn lives_again(&mut self, id: i64) {
        self.revived.push(id);
    }

    pub(crate) fn key_has_room(&mut self, queue: &str, key: &str) {
        self.keys.insert((queue.to_owned(), key.to_owned()));
    }

    pub(crate) fn dead_lettered(&mut self, queue: &str, id: i64) {
        match self.dead_letters.get_mut(queue) {
            Some(ids) => ids.push(id),
            None => drop(self.dead_letters.insert(queue.to_owned(), vec![id])),
        }
    }

    pub(crate) fn cancelled(&mut self, id: i64) {
        self.cancelled.push(id);
    }

    pub(crate) fn saved_result(&mut self) {
        self.results += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
            && self.revived.is_empty()
            && self.keys.is_empty()
            && self.dead_letters.is_empty()
            && self.cancelled.is_empty()
            && self.results == 0
    }

    /// Writes them. The end of a parent may add further effects.
    pub(crate) fn write(self, ctx: &Ctx<'_>) -> Result<()> {
        for left in &self.left {
            queue::write_left(ctx, left)?;
        }
        for id in &self.revived {
            queue::revive(ctx, *id)?;
        }
        for (queue, key) in &self.keys {
            queue::promote(ctx, queue, key)?;
        }
        for (queue, ids) in &self.dead_letters {
            queue::keep_to_policy(ctx, queue, ids)?;
        }
        for id in &self.cancelled {
            result::trace_cancelled(ctx, *id)?;
        }
        let paying = self.results + i64::try_from(self.cancelled.len()).unwrap_or(i64::MAX);
        if paying > 0 {
            result::prune(ctx, paying.saturating_mul(EXPIRED_ROWS_PER_WRITE))?;
        }
        Ok(())
    }
}
