//! The VFS: opening, deleting and finding files.

use std::ffi::{CStr, c_char, c_int};
use std::mem::size_of;

use rusqlite::ffi::{self, sqlite3_file, sqlite3_vfs};

use crate::file::{self, FaultFile};
use crate::plan::{Kind, fault};
use crate::trace::{Event, record};

const NAME: &CStr = c"honker_faults";

/// Registers the VFS over the default one; nothing if that has been done.
pub fn register() -> rusqlite::Result<()> {
    // SAFETY: SQLite's own functions; the copy of the default VFS keeps its methods, and both live for ever.
    unsafe {
        if !ffi::sqlite3_vfs_find(NAME.as_ptr()).is_null() {
            return Ok(());
        }
        let real = ffi::sqlite3_vfs_find(std::ptr::null());
        let mut vfs = *real;
        vfs.szOsFile += c_int::try_from(size_of::<FaultFile>()).unwrap_or(0);
        vfs.zName = NAME.as_ptr();
        vfs.pNext = std::ptr::null_mut();
        vfs.pAppData = real.cast();
        vfs.xOpen = Some(open);
        vfs.xDelete = Some(delete);
        vfs.xAccess = Some(access);
        vfs.xFullPathname = Some(full_pathname);
        match ffi::sqlite3_vfs_register(Box::into_raw(Box::new(vfs)), 0) {
            ffi::SQLITE_OK => Ok(()),
            code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
        }
    }
}

/// The VFS below. The methods that are not replaced ignore which VFS they are called with.
///
/// # Safety
/// `vfs` must be ours.
unsafe fn real(vfs: *mut sqlite3_vfs) -> *mut sqlite3_vfs {
    // SAFETY: the caller vouches for it; `register` stored the pointer.
    unsafe { (*vfs).pAppData.cast() }
}

/// # Safety
/// `name` must be null or end with NUL.
pub unsafe fn text(name: *const c_char) -> String {
    if name.is_null() {
        return String::new();
    }
    // SAFETY: the caller vouches for it.
    unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    target: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes a VFS of ours, a name that lives as long as the file, and `szOsFile` bytes for it: ours
    // first, the real one's behind.
    unsafe {
        (*target).pMethods = std::ptr::null();
        if let Some(code) = fault(Kind::Open) {
            return code;
        }
        let target = target.cast::<FaultFile>();
        let below = target.add(1).cast::<sqlite3_file>();
        let real = real(vfs);
        let Some(open) = (*real).xOpen else { return ffi::SQLITE_CANTOPEN };
        let code = open(real, name, below, flags, out_flags);
        if code == ffi::SQLITE_OK {
            target.write(FaultFile::new(text(name), (*below).pMethods));
            if flags & ffi::SQLITE_OPEN_CREATE != 0 {
                file::log(target, Event::Create, 0, &[]);
            }
        }
        code
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    // SAFETY: SQLite passes a VFS of ours and a name.
    unsafe {
        if let Some(code) = fault(Kind::Delete) {
            return code;
        }
        let real = real(vfs);
        // Not synced in truth: this machine keeps its power.
        let code = (*real).xDelete.map_or(ffi::SQLITE_IOERR, |delete| delete(real, name, 0));
        if code == ffi::SQLITE_OK {
            record(Event::Delete, &text(name), u64::from(sync_directory != 0), &[]);
        }
        code
    }
}

unsafe extern "C" fn access(vfs: *mut sqlite3_vfs, name: *const c_char, flags: c_int, answer: *mut c_int) -> c_int {
    // SAFETY: SQLite passes a VFS of ours.
    unsafe {
        let real = real(vfs);
        (*real).xAccess.map_or(ffi::SQLITE_IOERR, |access| access(real, name, flags, answer))
    }
}

unsafe extern "C" fn full_pathname(vfs: *mut sqlite3_vfs, name: *const c_char, size: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite passes a VFS of ours.
    unsafe {
        let real = real(vfs);
        (*real).xFullPathname.map_or(ffi::SQLITE_IOERR, |full_pathname| full_pathname(real, name, size, out))
    }
}
