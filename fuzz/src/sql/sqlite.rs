//! The SQLite of this machine, called as any host calls it: the engine reaches it through its API table.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

const OK: c_int = 0;
const ROW: c_int = 100;
const DONE: c_int = 101;
const DESERIALIZE_FREE_ON_CLOSE_RESIZEABLE: u32 = 1 | 2;
const COPIED: isize = -1;

type EntryPoint = unsafe extern "C" fn(*mut c_void, *mut *mut c_char, *const c_void) -> c_int;

unsafe extern "C" {
    // Part of the C library on these systems.
    fn dlopen(file: *const c_char, mode: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// The shared library, found at run time so that building needs no development package.
fn library() -> *mut c_void {
    static LIBRARY: OnceLock<usize> = OnceLock::new();
    let address = LIBRARY.get_or_init(|| {
        let names = [c"libsqlite3.so.0", c"libsqlite3.dylib"];
        // SAFETY: the names are C strings; mode 2 binds at once.
        let mut found = names.iter().map(|name| unsafe { dlopen(name.as_ptr(), 2) });
        found.find(|handle| !handle.is_null()).expect("a shared library of SQLite") as usize
    });
    *address as *mut c_void
}

/// Functions of the shared library, each looked up at its first call.
macro_rules! sqlite {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $(unsafe fn $name($($argument: $type),*) $(-> $result)? {
            static ADDRESS: OnceLock<usize> = OnceLock::new();
            let address = *ADDRESS.get_or_init(|| {
                // SAFETY: the name is a C string.
                let address = unsafe { dlsym(library(), concat!(stringify!($name), "\0").as_ptr().cast()) };
                assert!(!address.is_null(), concat!("SQLite has no ", stringify!($name)));
                address as usize
            });
            // SAFETY: the signature is that of sqlite3.h; the caller is responsible for the arguments.
            unsafe {
                let function: unsafe extern "C" fn($($type),*) $(-> $result)? = std::mem::transmute(address);
                function($($argument),*)
            }
        })*
    };
}

sqlite! {
    fn sqlite3_auto_extension(entry_point: EntryPoint) -> c_int;
    fn sqlite3_open(path: *const c_char, db: *mut *mut c_void) -> c_int;
    fn sqlite3_close(db: *mut c_void) -> c_int;
    fn sqlite3_errmsg(db: *mut c_void) -> *const c_char;
    fn sqlite3_get_autocommit(db: *mut c_void) -> c_int;
    fn sqlite3_prepare_v2(db: *mut c_void, sql: *const c_char, length: c_int, statement: *mut *mut c_void, rest: *mut *const c_char) -> c_int;
    fn sqlite3_step(statement: *mut c_void) -> c_int;
    fn sqlite3_finalize(statement: *mut c_void) -> c_int;
    fn sqlite3_bind_null(statement: *mut c_void, index: c_int) -> c_int;
    fn sqlite3_bind_int64(statement: *mut c_void, index: c_int, value: i64) -> c_int;
    fn sqlite3_bind_double(statement: *mut c_void, index: c_int, value: f64) -> c_int;
    fn sqlite3_bind_text(s: *mut c_void, i: c_int, text: *const c_char, length: c_int, free: isize) -> c_int;
    fn sqlite3_bind_blob(s: *mut c_void, i: c_int, bytes: *const c_void, length: c_int, free: isize) -> c_int;
    fn sqlite3_column_type(statement: *mut c_void, index: c_int) -> c_int;
    fn sqlite3_column_int64(statement: *mut c_void, index: c_int) -> i64;
    fn sqlite3_column_double(statement: *mut c_void, index: c_int) -> f64;
    fn sqlite3_column_text(statement: *mut c_void, index: c_int) -> *const c_char;
    fn sqlite3_column_bytes(statement: *mut c_void, index: c_int) -> c_int;
    fn sqlite3_serialize(db: *mut c_void, schema: *const c_char, size: *mut i64, flags: u32) -> *mut u8;
    fn sqlite3_deserialize(db: *mut c_void, schema: *const c_char, data: *mut u8, size: i64, capacity: i64, flags: u32) -> c_int;
    fn sqlite3_malloc64(size: u64) -> *mut u8;
    fn sqlite3_free(memory: *mut u8);
    fn sqlite3_column_count(statement: *mut c_void) -> c_int;
}

/// A value to bind, or a value read.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Value {
    pub fn text(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }

    /// A number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "instants are compared, to the second")]
            Self::Integer(integer) => Some(*integer as f64),
            Self::Real(real) => Some(*real),
            _ => None,
        }
    }
}

/// A connection to a database in memory, with the engine loaded.
pub struct Connection {
    db: *mut c_void,
}

impl Connection {
    /// A new database, filled from `image`.
    pub fn open(image: Option<&[u8]>) -> Self {
        let mut db = ptr::null_mut();
        // SAFETY: registering an entry point again has no effect; the image is copied into SQLite's memory, which
        // SQLite frees.
        unsafe {
            assert_eq!(sqlite3_auto_extension(honker_ext_entry_point()), OK);
            assert_eq!(sqlite3_open(c":memory:".as_ptr(), &raw mut db), OK);
            if let Some(image) = image {
                let copy = sqlite3_malloc64(image.len() as u64);
                copy.copy_from_nonoverlapping(image.as_ptr(), image.len());
                let size = i64::try_from(image.len()).expect("small");
                let flags = DESERIALIZE_FREE_ON_CLOSE_RESIZEABLE;
                assert_eq!(sqlite3_deserialize(db, c"main".as_ptr(), copy, size, size, flags), OK);
            }
        }
        Self { db }
    }

    /// The content of the database, for [`Self::open`].
    pub fn image(&self) -> Vec<u8> {
        let mut size = 0;
        // SAFETY: the connection is open; the memory belongs to SQLite and is freed.
        unsafe {
            let image = sqlite3_serialize(self.db, c"main".as_ptr(), &raw mut size, 0);
            let copy = std::slice::from_raw_parts(image, usize::try_from(size).expect("a size")).to_vec();
            sqlite3_free(image);
            copy
        }
    }

    /// Runs a statement to its end. Returns the first row, or the message of the error.
    pub fn run(&self, sql: &str, values: &[Value]) -> Result<Vec<Value>, String> {
        let mut rows = self.rows(sql, values)?;
        Ok(if rows.is_empty() { Vec::new() } else { rows.swap_remove(0) })
    }

    /// All rows of a statement.
    pub fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, String> {
        let sql = CString::new(sql).expect("statements hold no NUL");
        let mut statement = ptr::null_mut();
        // SAFETY: the connection is open, and the statement is finalised below.
        let code = unsafe { sqlite3_prepare_v2(self.db, sql.as_ptr(), -1, &raw mut statement, ptr::null_mut()) };
        if code != OK {
            return Err(self.message());
        }
        for (index, value) in (1..).zip(values) {
            bind(statement, index, value);
        }
        let mut rows = Vec::new();
        let outcome = loop {
            // SAFETY: the statement is alive.
            match unsafe { sqlite3_step(statement) } {
                ROW => rows.push((0..).map_while(|index| column(statement, index)).collect()),
                DONE => break Ok(rows),
                _ => break Err(self.message()),
            }
        };
        // SAFETY: as above; it returns the code of the step again.
        unsafe { sqlite3_finalize(statement) };
        outcome
    }

    pub fn is_autocommit(&self) -> bool {
        // SAFETY: the connection is open.
        unsafe { sqlite3_get_autocommit(self.db) != 0 }
    }

    /// Closes the connection, which fails if a statement was not finalised.
    pub fn close(self) {
        // SAFETY: the connection is open, and not used afterwards.
        assert_eq!(unsafe { sqlite3_close(self.db) }, OK, "{}", self.message());
    }

    fn message(&self) -> String {
        // SAFETY: the connection is open and the text lives until its next call.
        unsafe { CStr::from_ptr(sqlite3_errmsg(self.db)).to_string_lossy().into_owned() }
    }
}

/// The entry point of the engine, with the type that SQLite expects.
fn honker_ext_entry_point() -> EntryPoint {
    unsafe extern "C" {
        // Exported by `honker_ext`, which `main.rs` links.
        fn sqlite3_honkerext_init(db: *mut c_void, message: *mut *mut c_char, api: *const c_void) -> c_int;
    }
    sqlite3_honkerext_init
}

fn bind(statement: *mut c_void, index: c_int, value: &Value) {
    let length = |bytes: &[u8]| c_int::try_from(bytes.len()).expect("short");
    // SAFETY: the statement is alive, and SQLite copies the value. The code is ignored: a value that cannot be bound
    // stays NULL.
    unsafe {
        match value {
            Value::Null => sqlite3_bind_null(statement, index),
            Value::Integer(integer) => sqlite3_bind_int64(statement, index, *integer),
            Value::Real(real) => sqlite3_bind_double(statement, index, *real),
            Value::Text(text) => sqlite3_bind_text(statement, index, text.as_ptr().cast(), length(text), COPIED),
            Value::Blob(blob) => sqlite3_bind_blob(statement, index, blob.as_ptr().cast(), length(blob), COPIED),
        };
    }
}

/// A column of the current row; none past the last one.
fn column(statement: *mut c_void, index: c_int) -> Option<Value> {
    // SAFETY: the statement stands on a row; texts are copied before the next call.
    unsafe {
        if index >= sqlite3_column_count(statement) {
            return None;
        }
        Some(match sqlite3_column_type(statement, index) {
            1 => Value::Integer(sqlite3_column_int64(statement, index)),
            2 => Value::Real(sqlite3_column_double(statement, index)),
            3 | 4 => {
                let start = sqlite3_column_text(statement, index).cast::<u8>();
                let length = usize::try_from(sqlite3_column_bytes(statement, index)).unwrap_or(0);
                Value::Text(if start.is_null() {
                    Vec::new()
                } else {
                    std::slice::from_raw_parts(start, length).to_vec()
                })
            }
            _ => Value::Null,
        })
    }
}
