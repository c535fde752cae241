//! Waiting for the lock of another process, on connections that honker's packages open.
//!
//! SQLite's own busy handler sleeps for 1, 2, 5 ... 100 ms between two tries, while a transaction of a queue holds the
//! write lock for some fifty microseconds. This one begins with tens of microseconds and doubles, so that eight processes
//! do not spend the machine on asking; and draws each pause at random, so that those that were refused together do not
//! come back together. A connection that has waited for long asks often again: otherwise later arrivals would always be first.
//!
//! It is installed only where it is asked for, by `honker_busy_timeout`: a host's connection keeps what its owner chose.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::time::{Duration, Instant};

use honker_domain::{Error, Result};
use rusqlite::{Connection, ffi};

const FIRST_PAUSE: Duration = Duration::from_micros(32);
/// Doublings of the first pause until it is the longest, about 16 ms.
const DOUBLINGS: u32 = 9;
/// What is a long wait, and the pauses from then on.
const LONG_WAIT: Duration = Duration::from_millis(30);
const LATE_PAUSE: Duration = Duration::from_micros(500);

thread_local! {
    /// When the wait began that this thread is in. SQLite calls the handler of a connection again and again on the thread
    /// that waits, and that thread cannot wait twice at once.
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Makes statements of a connection wait so long for locks; not at all for 0.
///
/// # Errors
/// Whatever SQLite reports.
pub fn set_timeout(conn: &Connection, timeout: Duration) -> Result<()> {
    let timeout_ms = usize::try_from(timeout.as_millis()).unwrap_or(usize::MAX);
    let handler: Option<unsafe extern "C" fn(*mut c_void, c_int) -> c_int> =
        if timeout_ms == 0 { None } else { Some(try_again) };
    // The argument is the timeout itself and no pointer to it, so there is nothing that has to outlive the connection.
    // SAFETY: the handle is open while one of its functions runs, and the library stays loaded.
    let code = unsafe { ffi::sqlite3_busy_handler(conn.handle(), handler, ptr::without_provenance_mut(timeout_ms)) };
    if code == ffi::SQLITE_OK {
        return Ok(());
    }
    Err(Error::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)))
}

/// Pauses and says 1, or says 0 when the time is up.
unsafe extern "C" fn try_again(timeout_ms: *mut c_void, tries: c_int) -> c_int {
    let timeout = Duration::from_millis(timeout_ms.addr() as u64);
    let now = Instant::now();
    let began = if tries == 0 { now } else { BEGAN.get().unwrap_or(now) };
    BEGAN.set(Some(began));
    let waited = now - began;
    let Some(left) = timeout.checked_sub(waited).filter(|left| !left.is_zero()) else { return 0 };
    std::thread::sleep(pause(tries.unsigned_abs(), waited).min(left));
    1
}

/// Between half of the step and all of it. The nanoseconds of the clock are chance enough here.
fn pause(tries: u32, waited: Duration) -> Duration {
    let step = if waited < LONG_WAIT { FIRST_PAUSE * (1 << tries.min(DOUBLINGS)) } else { LATE_PAUSE };
    step / 2 + step / 2 * (waited.subsec_nanos() % 256) / 256
}
