//! Which operation fails.

use std::ffi::c_int;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What SQLite asks of the disk.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Kind {
    Open = 1,
    Read = 2,
    Write = 4,
    Truncate = 8,
    Sync = 16,
    Delete = 32,
    Lock = 64,
    ShmMap = 128,
    ShmLock = 256,
}

/// The code that stands for "the process dies here".
const DEATH: c_int = -1;

#[derive(Default)]
pub struct Plan {
    /// The kinds that are counted.
    pub mask: u32,
    /// The first that fails, counted from 1; 0 for none.
    pub nth: u64,
    /// The result code it fails with.
    pub code: c_int,
    /// Whether all after it fail, too.
    pub is_lasting: bool,
    pub seen: u64,
    pub failed: u64,
}

static PLAN: Mutex<Plan> = Mutex::new(Plan { mask: 0, nth: 0, code: 0, is_lasting: false, seen: 0, failed: 0 });

pub fn lock() -> MutexGuard<'static, Plan> {
    PLAN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts an operation; the code it is to fail with, if it is.
pub fn fault(kind: Kind) -> Option<c_int> {
    let mut plan = lock();
    if plan.mask & kind as u32 == 0 {
        return None;
    }
    plan.seen += 1;
    let is_chosen = plan.nth != 0 && (plan.seen == plan.nth || plan.is_lasting && plan.seen > plan.nth);
    if !is_chosen {
        return None;
    }
    plan.failed += 1;
    if plan.code == DEATH {
        die();
    }
    Some(plan.code)
}

#[cfg(unix)]
fn die() {
    const SIGKILL: c_int = 9;
    unsafe extern "C" {
        fn raise(signal: c_int) -> c_int;
    }
    // SAFETY: the C library's, which takes any signal.
    unsafe { raise(SIGKILL) };
}

#[cfg(not(unix))]
fn die() {
    std::process::abort();
}
