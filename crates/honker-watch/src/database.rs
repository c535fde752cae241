//! The watcher's own connection, and what it can tell.

use std::ffi::{c_int, c_void};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

/// Bytes of a region of the WAL index, and where in the first one the change counter stands
/// (<https://www.sqlite.org/walformat.html>, "The WAL-Index Header").
const SHM_REGION_BYTES: c_int = 32_768;
const SHM_VERSION_WORD: usize = 0;
const SHM_CHANGE_WORD: usize = 2;
/// What the version word of every WAL index says.
const SHM_VERSION: u32 = 3_007_000;

/// Watchers that are inside SQLite at this moment.
static READING: AtomicUsize = AtomicUsize::new(0);

/// Whether any watcher of this process is inside SQLite. In a forked child: whether one was at the moment of the fork,
/// which leaves SQLite's memory there in the middle of something.
#[must_use]
pub fn is_any_reading() -> bool {
    READING.load(Ordering::SeqCst) > 0
}

/// A connection that reads nothing but version numbers. It holds no transaction between two looks.
pub struct Database {
    conn: Connection,
}

/// A look at the database.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// The number that changes with each commit of another connection.
    Version(i64),
    /// A writer has the file to itself at this moment; look again.
    Busy,
    /// The connection is of no use any more.
    Broken(String),
}

impl Database {
    /// Opens an existing file. Never creates one, sets nothing, writes nothing.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        // One thread uses it at a time, so SQLite's own mutex is not needed.
        let conn =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        conn.busy_timeout(Duration::ZERO)?;
        Ok(Self { conn })
    }

    /// Asks for `data_version`.
    pub fn look(&self) -> Look {
        READING.fetch_add(1, Ordering::SeqCst);
        let version = self.data_version();
        READING.fetch_sub(1, Ordering::SeqCst);
        match version {
            Ok(version) => Look::Version(version),
            Err(rusqlite::Error::SqliteFailure(failure, _))
                if matches!(failure.code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) =>
            {
                Look::Busy
            }
            Err(error) => Look::Broken(error.to_string()),
        }
    }

    fn data_version(&self) -> rusqlite::Result<i64> {
        self.conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
    }

    /// The WAL index, in the memory that SQLite itself has mapped: no file is opened. `None` while it is busy.
    pub fn wal_index(&self) -> Result<Option<WalIndex<'_>>, String> {
        // A read, so that SQLite maps the index.
        match self.look() {
            Look::Version(_) => {}
            Look::Busy => return Ok(None),
            Look::Broken(problem) => return Err(format!("-shm unavailable: {problem}")),
        }
        let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
        let mut region: *mut c_void = ptr::null_mut();
        // SAFETY: the handle is open and the operation writes one pointer; the file belongs to the connection and its
        // methods are SQLite's. Without `extend`, xShmMap maps what exists and creates nothing.
        let code = unsafe {
            let asked = ffi::sqlite3_file_control(
                self.conn.handle(),
                c"main".as_ptr(),
                ffi::SQLITE_FCNTL_FILE_POINTER,
                (&raw mut file).cast::<c_void>(),
            );
            let methods = if asked == ffi::SQLITE_OK && !file.is_null() { (*file).pMethods.as_ref() } else { None };
            match methods.filter(|methods| methods.iVersion >= 2).and_then(|methods| methods.xShmMap) {
                Some(map) => map(file, 0, SHM_REGION_BYTES, 0, &raw mut region),
                None => ffi::SQLITE_ERROR,
            }
        };
        if code != ffi::SQLITE_OK || region.is_null() {
            return Err("-shm unavailable: the database is not in WAL mode".to_owned());
        }
        let index = WalIndex { _database: self, words: region.cast::<u32>() };
        if index.word(SHM_VERSION_WORD) != SHM_VERSION {
            return Err("-shm unavailable: its format is unknown".to_owned());
        }
        Ok(Some(index))
    }
}

/// The header of the WAL index. Mapped as long as the connection is open: SQLite neither moves nor unmaps a region
/// before that, and no process may truncate the file while a connection is there.
pub struct WalIndex<'a> {
    _database: &'a Database,
    words: *const u32,
}

impl WalIndex<'_> {
    /// A number that changes with each commit in WAL mode.
    pub fn change_counter(&self) -> u32 {
        self.word(SHM_CHANGE_WORD)
    }

    fn word(&self, index: usize) -> u32 {
        // SAFETY: within the mapped region; other processes write it, hence volatile.
        unsafe { self.words.add(index).read_volatile() }
    }
}
