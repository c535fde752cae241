//! The arithmetic of slack: the blob of zeros that keeps a large job's row at one length. See `0006_slack.sql`.
//!
//! A row's length changes with its state (7 bytes `pending`, 10 `processing`), its worker, its lease (4 bytes as a whole
//! second, 8 as a REAL) and its attempts (0 bytes up to 1, 1 up to 127, 2 above). Rust computes the slack for all but the
//! attempts, the ties and the snoozes, which only the row knows: each statement that changes the state subtracts their bytes,
//! `(attempts > 1) - (attempts > 127)`, from the number given here.

use crate::clock::Instant;

/// Bytes of a payload whose row surely fits into one page of 4 KiB, where slack saves nothing.
pub(super) const SMALL_PAYLOAD_BYTES: u16 = 3_000;

/// Bytes of slack in the row of a waiting job that had no attempt: the longest blob whose length SQLite writes in one
/// byte.
pub(super) const WAITING: u8 = 57;

const ZEROS: &[u8] = &[0; WAITING as usize];

const STATE_BYTES: usize = "processing".len() - "pending".len();

/// The slack of a new job.
pub(super) fn of_new(payload: &str) -> Option<&'static [u8]> {
    (payload.len() > SMALL_PAYLOAD_BYTES.into()).then_some(ZEROS)
}

/// Bytes of slack in the row of a leased job. Negative for the longest names of workers, which makes the blob empty and
/// the row longer.
pub(super) fn leased(worker_id: &str, lease_end: Instant) -> i64 {
    let lease_bytes = if lease_end.is_whole() { 4 } else { 8 };
    let taken = i64::try_from(STATE_BYTES + worker_id.len() + lease_bytes).unwrap_or(i64::MAX);
    i64::from(WAITING) - taken
}
