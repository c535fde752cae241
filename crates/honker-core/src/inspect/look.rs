//! The bound of a call: rows and time.
//!
//! The time is that of the machine and not of [`crate::clock`], which tests stop. It bounds a call on rows whose payloads take many
//! pages: SQLite reaches a column behind a large payload through all of them.

use std::time::{Duration, Instant};

use crate::limits::{INSPECT_MS, INSPECT_ROWS};

/// What is left of the bound.
#[derive(Debug)]
pub(super) struct Look {
    rows: usize,
    has_looked: bool,
    begun: Instant,
}

impl Look {
    pub(super) fn begin() -> Self {
        Self { rows: INSPECT_ROWS, has_looked: false, begun: Instant::now() }
    }

    /// Counts a row.
    pub(super) const fn count(&mut self) {
        self.rows = self.rows.saturating_sub(1);
        self.has_looked = true;
    }

    /// True if the bound is reached. At least one row is looked at, so that callers get ahead.
    pub(super) fn is_over(&self) -> bool {
        self.has_looked && (self.rows == 0 || self.is_late(1))
    }

    /// True if a part of the time is over: `1 / part`.
    pub(super) fn is_late(&self, part: u32) -> bool {
        self.begun.elapsed() >= Duration::from_millis(INSPECT_MS) / part
    }
}
