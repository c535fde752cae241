//! A file of the VFS: reading, writing, syncing, locking.
//!
//! A write that fails has written half of its data, the worst that SQLite must expect. Nothing is synced in truth: no
//! test pulls the plug of its machine, and the log knows what would have been.

use std::ffi::{c_int, c_void};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods};

use crate::plan::{Kind, fault};
use crate::trace::{self, Event};

/// Our part of a file; the real one's stands behind it in memory.
#[repr(C)]
pub struct FaultFile {
    /// SQLite's part; must come first.
    base: sqlite3_file,
    /// The methods of the real file.
    below: *const sqlite3_io_methods,
    /// Empty for temporary files, which no power cut leaves behind.
    path: String,
}

impl FaultFile {
    pub fn new(path: String, below: *const sqlite3_io_methods) -> Self {
        Self { base: sqlite3_file { pMethods: &raw const METHODS }, below, path }
    }
}

// Version 2: shared memory, which WAL needs, and no memory-mapped reading, which would bypass us.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Adds a record about the file to the log.
///
/// # Safety
/// `file` must be an open file of ours.
pub unsafe fn log(file: *mut FaultFile, event: Event, number: u64, data: &[u8]) {
    // SAFETY: the caller vouches for the file.
    let path = unsafe { &(*file).path };
    if !path.is_empty() {
        trace::record(event, path, number, data);
    }
}

/// Calls a method of the real file.
macro_rules! below {
    ($file:ident . $method:ident ( $($argument:expr),* ) or $missing:expr) => {{
        let ours = $file.cast::<FaultFile>();
        // SAFETY: SQLite calls the methods of a file of ours with that file, which `open` made: the real one stands
        // behind it, with these methods.
        unsafe {
            match (*(*ours).below).$method {
                Some(method) => method(ours.add(1).cast::<sqlite3_file>() $(, $argument)*),
                None => $missing,
            }
        }
    }};
}

fn offset(value: sqlite3_int64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let code = below!(file.xClose() or ffi::SQLITE_OK);
    // SAFETY: `open` wrote our part, and nothing uses the file after this.
    unsafe { std::ptr::drop_in_place(file.cast::<FaultFile>()) };
    code
}

unsafe extern "C" fn read(file: *mut sqlite3_file, data: *mut c_void, size: c_int, at: sqlite3_int64) -> c_int {
    fault(Kind::Read).unwrap_or_else(|| below!(file.xRead(data, size, at) or ffi::SQLITE_IOERR_READ))
}

unsafe extern "C" fn write(file: *mut sqlite3_file, data: *const c_void, size: c_int, at: sqlite3_int64) -> c_int {
    let failure = fault(Kind::Write);
    let size = if failure.is_some() { size / 2 } else { size };
    if size > 0 {
        let code = below!(file.xWrite(data, size, at) or ffi::SQLITE_IOERR_WRITE);
        if code != ffi::SQLITE_OK {
            return code;
        }
        let length = usize::try_from(size).unwrap_or(0);
        // SAFETY: SQLite passes so many bytes and a file of ours.
        unsafe {
            let written = std::slice::from_raw_parts(data.cast::<u8>(), length);
            log(file.cast(), Event::Write, offset(at), written);
        }
    }
    failure.unwrap_or(ffi::SQLITE_OK)
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    if let Some(code) = fault(Kind::Truncate) {
        return code;
    }
    let code = below!(file.xTruncate(size) or ffi::SQLITE_IOERR_TRUNCATE);
    if code == ffi::SQLITE_OK {
        // SAFETY: SQLite passes a file of ours.
        unsafe { log(file.cast(), Event::Truncate, offset(size), &[]) };
    }
    code
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    if let Some(code) = fault(Kind::Sync) {
        return code;
    }
    // SAFETY: SQLite passes a file of ours.
    unsafe { log(file.cast(), Event::Sync, 0, &[]) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut sqlite3_int64) -> c_int {
    below!(file.xFileSize(size) or ffi::SQLITE_IOERR_FSTAT)
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    fault(Kind::Lock).unwrap_or_else(|| below!(file.xLock(level) or ffi::SQLITE_IOERR_LOCK))
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    below!(file.xUnlock(level) or ffi::SQLITE_IOERR_UNLOCK)
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, answer: *mut c_int) -> c_int {
    below!(file.xCheckReservedLock(answer) or ffi::SQLITE_IOERR_CHECKRESERVEDLOCK)
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    below!(file.xFileControl(operation, argument) or ffi::SQLITE_NOTFOUND)
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    below!(file.xSectorSize() or 4096)
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    // Writes that are atomic by the batch would go past our log.
    below!(file.xDeviceCharacteristics() or 0) & !ffi::SQLITE_IOCAP_BATCH_ATOMIC
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    extends: c_int,
    address: *mut *mut c_void,
) -> c_int {
    fault(Kind::ShmMap)
        .unwrap_or_else(|| below!(file.xShmMap(region, size, extends, address) or ffi::SQLITE_IOERR_SHMMAP))
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    // Letting go of a lock never fails: SQLite would not hear of it.
    let failure = if flags & ffi::SQLITE_SHM_LOCK == 0 { None } else { fault(Kind::ShmLock) };
    failure.unwrap_or_else(|| below!(file.xShmLock(first, count, flags) or ffi::SQLITE_IOERR_SHMLOCK))
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    below!(file.xShmBarrier() or ());
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, deletes: c_int) -> c_int {
    below!(file.xShmUnmap(deletes) or ffi::SQLITE_OK)
}
