//! SQL functions as C sees them.
//!
//! rusqlite can register functions too, but reports every failure as `SQLITE_ERROR`: the host could not tell a busy
//! database, where a second try helps, from a wrong argument, where it does not.

use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use honker_domain::{Ctx, Result};
use rusqlite::{Connection, ffi};

use crate::arguments::{Arguments, Value};
use crate::bracket::{atomically, lock_first};
use crate::direct;
use crate::engine::{Engine, with_extended_code, with_reason};
use crate::functions::{Effect, Function, Output};

/// The user data of a registered function.
struct Registered {
    function: &'static Function,
    engine: Arc<Engine>,
}

/// Registers a function under one number of arguments.
///
/// # Safety
/// `db` must be open.
pub unsafe fn register(
    db: *mut ffi::sqlite3,
    function: &'static Function,
    arity: c_int,
    engine: Arc<Engine>,
) -> rusqlite::Result<()> {
    let name = CString::new(function.name)?;
    let registered = Box::into_raw(Box::new(Registered { function, engine }));
    // SAFETY: the handle is open; SQLite owns `registered` from here on and frees it through `free`, also on failure.
    let code = unsafe {
        ffi::sqlite3_create_function_v2(
            db,
            name.as_ptr(),
            arity,
            ffi::SQLITE_UTF8 | if matches!(function.effect, Effect::Outside) { ffi::SQLITE_DIRECTONLY } else { 0 },
            registered.cast::<c_void>(),
            Some(call),
            None,
            None,
            Some(free),
        )
    };
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(format!("cannot register {}", function.name))))
    }
}

/// Removes a function. SQLite refuses that while a statement runs; then the function stays.
///
/// # Safety
/// `db` must be open.
pub unsafe fn unregister(db: *mut ffi::sqlite3, function: &Function, arity: c_int) {
    let Ok(name) = CString::new(function.name) else { return };
    // SAFETY: the caller vouches for the handle. Without functions SQLite removes the one that is there.
    unsafe {
        ffi::sqlite3_create_function_v2(
            db,
            name.as_ptr(),
            arity,
            ffi::SQLITE_UTF8,
            std::ptr::null_mut(),
            None,
            None,
            None,
            None,
        )
    };
}

unsafe extern "C" fn free(registered: *mut c_void) {
    // SAFETY: the pointer is the one `register` gave away, and SQLite frees it once.
    drop(unsafe { Box::from_raw(registered.cast::<Registered>()) });
}

unsafe extern "C" fn call(context: *mut ffi::sqlite3_context, count: c_int, values: *mut *mut ffi::sqlite3_value) {
    // A panic must not unwind into C.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the user data is what `register` gave, alive as long as the function is registered.
        let registered = unsafe { &*ffi::sqlite3_user_data(context).cast::<Registered>() };
        // SAFETY: SQLite passes `count` values that live until we return.
        let arguments = Arguments::new(unsafe { decode(count, values) });
        run(registered, &arguments)
    }));
    // SAFETY: the context is the one of this call.
    unsafe {
        match outcome {
            Ok(Ok(output)) => set_output(context, &output),
            Ok(Err(error)) => set_error(context, &error.to_string(), error.sqlite_code()),
            Err(_) => set_error(context, "HONKER_INTERNAL: a bug in honker; nothing was changed", ffi::SQLITE_INTERNAL),
        }
    }
}

fn run(registered: &Registered, arguments: &Arguments<'_>) -> Result<Output> {
    let _running = registered.engine.enter()?;
    let ctx = &Ctx::new(registered.engine.statements()?);
    // Within the bracket: SQLite refuses a text that is too long, and by then the writes would be committed.
    let call = || {
        let output =
            (registered.function.call)(ctx, arguments).map_err(|error| with_extended_code(ctx.conn(), error))?;
        fitting(ctx.conn(), output)
    };
    let output = match registered.function.effect {
        Effect::Read => call(),
        Effect::Statement => lock_first(ctx).and_then(|()| call()),
        Effect::Outside => {
            direct::require(ctx.conn(), registered.function.name)?;
            call()
        }
        Effect::Transition => atomically(ctx, call),
    };
    debug_assert!(output.is_err() || ctx.is_flushed(), "{} has effects and no bracket", registered.function.name);
    output.map_err(|error| with_reason(ctx.conn(), error))
}

/// The result, unless it is longer than the connection allows a text to be.
pub fn fitting(conn: &Connection, output: Output) -> Result<Output> {
    match &output {
        Output::Text(text) if text.len() > longest_text(conn) => {
            Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None).into())
        }
        _ => Ok(output),
    }
}

/// The bytes of the longest text that the connection allows.
pub fn longest_text(conn: &Connection) -> usize {
    // SAFETY: the handle is open while one of its functions runs; a negative value changes nothing.
    let limit = unsafe { ffi::sqlite3_limit(conn.handle(), ffi::SQLITE_LIMIT_LENGTH, -1) };
    usize::try_from(limit).unwrap_or(0)
}

/// # Safety
/// `values` must point to `count` values, which live as long as the result is used.
unsafe fn decode<'a>(count: c_int, values: *mut *mut ffi::sqlite3_value) -> Vec<Value<'a>> {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the caller vouches for the array; each value is read in its own type, so that
    // SQLite converts nothing and the pointers stay valid.
    (0..count).map(|index| unsafe { decode_one(*values.add(index)) }).collect()
}

/// # Safety
/// `value` must live as long as the result is used.
unsafe fn decode_one<'a>(value: *mut ffi::sqlite3_value) -> Value<'a> {
    // SAFETY: see `decode`.
    unsafe {
        match ffi::sqlite3_value_type(value) {
            ffi::SQLITE_INTEGER => Value::Integer(ffi::sqlite3_value_int64(value)),
            ffi::SQLITE_FLOAT => Value::from_real(ffi::sqlite3_value_double(value)),
            ffi::SQLITE_TEXT => {
                let start = ffi::sqlite3_value_text(value);
                let length = usize::try_from(ffi::sqlite3_value_bytes(value)).unwrap_or(0);
                if start.is_null() { Value::Text(&[]) } else { Value::Text(std::slice::from_raw_parts(start, length)) }
            }
            ffi::SQLITE_BLOB => Value::Blob,
            _ => Value::Null,
        }
    }
}

/// # Safety
/// `context` must be that of the current call.
unsafe fn set_output(context: *mut ffi::sqlite3_context, output: &Output) {
    // SAFETY: the caller vouches for the context; SQLite copies the text before it returns.
    unsafe {
        match output {
            Output::Null => ffi::sqlite3_result_null(context),
            Output::Integer(value) => ffi::sqlite3_result_int64(context, *value),
            Output::Real(value) => ffi::sqlite3_result_double(context, *value),
            Output::Text(text) => ffi::sqlite3_result_text64(
                context,
                text.as_ptr().cast::<c_char>(),
                text.len() as u64,
                ffi::SQLITE_TRANSIENT(),
                ffi::SQLITE_UTF8.to_le_bytes()[0],
            ),
        }
    }
}

/// # Safety
/// `context` must be that of the current call.
unsafe fn set_error(context: *mut ffi::sqlite3_context, message: &str, code: c_int) {
    let length = c_int::try_from(message.len()).unwrap_or(c_int::MAX);
    // SAFETY: the caller vouches for the context; SQLite copies the message. The code goes last: setting a message
    // resets it.
    unsafe {
        ffi::sqlite3_result_error(context, message.as_ptr().cast::<c_char>(), length);
        ffi::sqlite3_result_error_code(context, code);
    }
}
