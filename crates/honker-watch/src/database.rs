//! The watcher's own connection, and the numbers read from it.

use std::cell::Cell;
use std::ffi::{CString, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use crate::location::Location;

/// Bytes of a region of the WAL index, and where in the first one the change counter stands
/// (<https://www.sqlite.org/walformat.html>, "The WAL-Index Header").
const SHM_REGION_BYTES: c_int = 32_768;
const SHM_VERSION_WORD: usize = 0;
const SHM_CHANGE_WORD: usize = 2;
/// What the version word of every WAL index says.
const SHM_VERSION: u32 = 3_007_000;

/// Watchers that are inside SQLite at this moment.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// Forks under way, during which no watcher enters SQLite.
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// The longest that a fork waits for the watchers: far longer than a look takes.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long a look that meets a fork, or a fork that meets a look, waits before it tries again.
const RETRY: Duration = Duration::from_micros(50);

/// Keeps the watchers of this process out of SQLite until [`resume`], because a fork copies its memory as it is: a child
/// in which it is in the middle of something must not use it on these files. True if all of them are out.
#[must_use]
pub fn pause() -> bool {
    FORKS.fetch_add(1, Ordering::SeqCst);
    let deadline = Instant::now() + PAUSE_MAX;
    while INSIDE.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
        std::thread::sleep(RETRY);
    }
    INSIDE.load(Ordering::SeqCst) == 0
}

/// Lets the watchers go on after [`pause`]; in the child, where there are none, lets new ones begin.
pub fn resume(is_child: bool) {
    if is_child {
        INSIDE.store(0, Ordering::SeqCst);
        FORKS.store(0, Ordering::SeqCst);
    } else {
        FORKS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A watcher's stay inside SQLite. Never one within another: a fork in between would make the two wait for each other.
struct Stay;

impl Stay {
    fn begin() -> Self {
        loop {
            INSIDE.fetch_add(1, Ordering::SeqCst);
            if FORKS.load(Ordering::SeqCst) == 0 {
                return Self;
            }
            INSIDE.fetch_sub(1, Ordering::SeqCst);
            std::thread::sleep(RETRY);
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// True if SQLite knows a VFS of that name.
pub fn has_vfs(name: &str) -> bool {
    // SAFETY: the name ends with a zero and is only read.
    CString::new(name).is_ok_and(|name| unsafe { !ffi::sqlite3_vfs_find(name.as_ptr()).is_null() })
}

/// A connection that reads nothing but version numbers. It holds no transaction between two looks.
pub struct Database {
    conn: Connection,
    /// Where the WAL index is mapped, once [`Database::find_counter`] has found it.
    words: Cell<Option<*const u32>>,
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
    pub fn open(location: &Location) -> rusqlite::Result<Self> {
        let _stay = Stay::begin();
        let access =
            if location.is_read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
        // One thread uses it at a time, so SQLite's own mutex is not needed.
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = match &location.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(&location.path, flags, vfs.as_str())?,
            None => Connection::open_with_flags(&location.path, flags)?,
        };
        conn.busy_timeout(Duration::ZERO)?;
        Ok(Self { conn, words: Cell::new(None) })
    }

    /// Asks for `data_version`.
    pub fn look(&self) -> Look {
        let stay = Stay::begin();
        let version = self.data_version();
        drop(stay);
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

    /// [`WalIndex::change_counter`], once it has been found: a read of memory, where `look` takes a statement.
    pub fn change_counter(&self) -> Option<u32> {
        self.words.get().map(|words| WalIndex { _database: self, words }.change_counter())
    }

    /// Finds the change counter, if the database is in WAL mode and it is not known yet.
    pub fn find_counter(&self) {
        // The mode first: SQLite would make a WAL index for a database in another mode, if it were asked for it.
        if self.words.get().is_none() && self.is_in_wal_mode() {
            self.words.set(self.wal_index().ok().flatten().map(|index| index.words));
        }
    }

    /// Asks `data_version` alone until the change counter is found again.
    pub fn forget_counter(&self) {
        self.words.set(None);
    }

    fn is_in_wal_mode(&self) -> bool {
        let _stay = Stay::begin();
        let mode = self.conn.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
        mode.is_ok_and(|mode| mode == "wal")
    }

    /// The WAL index, in the memory that SQLite itself has mapped: no file is opened. `None` while it is busy.
    pub fn wal_index(&self) -> Result<Option<WalIndex<'_>>, String> {
        // A read, so that SQLite maps the index.
        match self.look() {
            Look::Version(_) => {}
            Look::Busy => return Ok(None),
            Look::Broken(problem) => return Err(format!("-shm unavailable: {problem}")),
        }
        let _stay = Stay::begin();
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
