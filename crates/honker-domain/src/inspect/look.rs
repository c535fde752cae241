//! The bound of a call: rows and time.
//!
//! The time is that of the machine and not of [`crate::clock`], which tests stop. It bounds a call on rows whose payloads take many
//! pages: SQLite reaches a column behind a large payload through all of them. The first few rows do not count: a process that
//! was not scheduled for a while still returns a small list in one page.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::limits::{
    INSPECT_CHEAP_MS, INSPECT_INDEX_MS, INSPECT_INDEX_ROWS_MS, INSPECT_MS, INSPECT_MS_MAX, INSPECT_ROWS,
    INSPECT_ROWS_MIN,
};

/// What is left of the bound.
#[derive(Debug)]
pub(super) struct Look {
    looked_at: usize,
    begun: Instant,
    ends_after: Cell<Duration>,
}

impl Look {
    pub(super) fn begin() -> Self {
        Self { looked_at: 0, begun: Instant::now(), ends_after: Cell::new(Duration::from_millis(INSPECT_MS)) }
    }

    /// Counts a row.
    pub(super) const fn count(&mut self) {
        self.looked_at = self.looked_at.saturating_add(1);
    }

    /// Counts a row that stands for many which SQLite has left out: they are more than the first few.
    pub(super) fn count_many(&mut self) {
        self.looked_at = self.looked_at.max(INSPECT_ROWS_MIN).saturating_add(1);
    }

    /// True if the bound is reached. At least one row is looked at, so that callers get ahead.
    pub(super) fn is_over(&self) -> bool {
        match self.looked_at {
            0 => false,
            looked_at if looked_at >= INSPECT_ROWS => true,
            looked_at if looked_at < INSPECT_ROWS_MIN => self.has_taken(Duration::from_millis(INSPECT_MS_MAX)),
            _ => self.has_taken(self.ends_after.get()),
        }
    }

    /// True if the time to look for few ids in an index is over.
    pub(super) fn is_cheap_over(&self) -> bool {
        self.has_taken(Duration::from_millis(INSPECT_CHEAP_MS))
    }

    /// True if half of the time is over.
    pub(super) fn is_half_over(&self) -> bool {
        self.has_taken(Duration::from_millis(INSPECT_MS / 2))
    }

    /// True if the time to read an index for the greatest ids is over.
    pub(super) fn is_index_over(&self) -> bool {
        self.has_taken(Duration::from_millis(INSPECT_INDEX_MS))
    }

    /// Leaves some time for the rows of ids that an index has given.
    pub(super) fn allow_rows(&self) {
        let enough = self.begun.elapsed() + Duration::from_millis(INSPECT_INDEX_ROWS_MS);
        self.ends_after.set(self.ends_after.get().max(enough));
    }

    fn has_taken(&self, time: Duration) -> bool {
        self.begun.elapsed() >= time
    }
}
