//! The bound of a call: rows and time.
//!
//! The time is that of the machine and not of [`crate::clock`], which tests stop. It bounds a call on rows whose payloads take many
//! pages: SQLite reaches a column behind a large payload through all of them. The first few rows do not count: a process that
//! was not scheduled for a while still returns a small list in one page.

use std::time::{Duration, Instant};

use crate::limits::{INSPECT_MS, INSPECT_MS_MAX, INSPECT_ROWS, INSPECT_ROWS_MIN};

/// What is left of the bound.
#[derive(Debug)]
pub(super) struct Look {
    looked_at: usize,
    begun: Instant,
}

impl Look {
    pub(super) fn begin() -> Self {
        Self { looked_at: 0, begun: Instant::now() }
    }

    /// Counts a row.
    pub(super) const fn count(&mut self) {
        self.looked_at = self.looked_at.saturating_add(1);
    }

    /// True if the bound is reached. At least one row is looked at, so that callers get ahead.
    pub(super) fn is_over(&self) -> bool {
        match self.looked_at {
            0 => false,
            looked_at if looked_at >= INSPECT_ROWS => true,
            looked_at if looked_at < INSPECT_ROWS_MIN => self.has_taken(INSPECT_MS_MAX),
            _ => self.has_taken(INSPECT_MS),
        }
    }

    /// True if half of the time is over.
    pub(super) fn is_half_over(&self) -> bool {
        self.has_taken(INSPECT_MS / 2)
    }

    fn has_taken(&self, ms: u64) -> bool {
        self.begun.elapsed() >= Duration::from_millis(ms)
    }
}
