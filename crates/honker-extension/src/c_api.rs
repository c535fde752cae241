//! The C functions of `include/honker.h`: watching commits without SQL, for hosts that wait outside a connection.
//!
//! A handle is a subscription; handles of one file share a watcher.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use honker_watch::{Backend, Descriptor, Options, Subscription, Wake};

/// The value of `honker_watcher_wait` after a bug in honker.
const BUG: c_int = -2;

/// `HONKER_WATCHER_PIPE` of `include/honker.h`.
const FLAG_PIPE: u32 = 1;

/// Set once SQLite's API table has come to us. Without it there is no SQLite to open a connection through.
static IS_LOADED: AtomicBool = AtomicBool::new(false);

/// Notes that the extension is loaded into a connection.
pub fn mark_loaded() {
    IS_LOADED.store(true, Ordering::Release);
}

/// Opens a watcher handle with the default interval; see `include/honker.h`.
///
/// # Safety
/// `path` is a C string, `backend` one or null, and `message` null or `length` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn honker_watcher_open(
    path: *const c_char,
    backend: *const c_char,
    message: *mut c_char,
    length: usize,
) -> *mut c_void {
    // SAFETY: the caller vouches for the pointers.
    unsafe { open(path, backend, |options| Ok((options, Descriptor::Fastest)), message, length) }
}

/// Opens a watcher handle; see `include/honker.h`.
///
/// # Safety
/// As [`honker_watcher_open`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn honker_watcher_open_v2(
    path: *const c_char,
    backend: *const c_char,
    poll_interval_ms: u64,
    message: *mut c_char,
    length: usize,
) -> *mut c_void {
    let refine =
        |options: Options| Ok((options.with_poll_interval_ms(interval(poll_interval_ms))?, Descriptor::Fastest));
    // SAFETY: the caller vouches for the pointers.
    unsafe { open(path, backend, refine, message, length) }
}

/// Opens a watcher handle with flags; see `include/honker.h`.
///
/// # Safety
/// As [`honker_watcher_open`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn honker_watcher_open_v3(
    path: *const c_char,
    backend: *const c_char,
    poll_interval_ms: u64,
    flags: u32,
    message: *mut c_char,
    length: usize,
) -> *mut c_void {
    let refine = |options: Options| {
        let options = match poll_interval_ms {
            0 => options,
            given => options.with_poll_interval_ms(interval(given))?,
        };
        match flags {
            0 => Ok((options, Descriptor::Fastest)),
            FLAG_PIPE => Ok((options, Descriptor::Pipe)),
            unknown => Err(format!("the flags {unknown} are unknown; 0 and HONKER_WATCHER_PIPE are allowed")),
        }
    };
    // SAFETY: the caller vouches for the pointers.
    unsafe { open(path, backend, refine, message, length) }
}

fn interval(poll_interval_ms: u64) -> i64 {
    i64::try_from(poll_interval_ms).unwrap_or(i64::MAX)
}

unsafe fn open(
    path: *const c_char,
    backend: *const c_char,
    refine: impl FnOnce(Options) -> Result<(Options, Descriptor), String>,
    message: *mut c_char,
    length: usize,
) -> *mut c_void {
    // SAFETY: the caller vouches for the pointers.
    let (path, backend) = unsafe { (text(path), text(backend)) };
    let opened = catch_unwind(AssertUnwindSafe(|| subscribe(path?, backend?, refine)));
    match opened.unwrap_or_else(|_| Err("a bug in honker".to_owned())) {
        Ok(subscription) => Box::into_raw(Box::new(subscription)).cast::<c_void>(),
        Err(problem) => {
            // SAFETY: the caller vouches for the buffer.
            unsafe { write_text(&problem, message, length) };
            std::ptr::null_mut()
        }
    }
}

fn subscribe(
    path: Option<&str>,
    backend: Option<&str>,
    refine: impl FnOnce(Options) -> Result<(Options, Descriptor), String>,
) -> Result<Subscription, String> {
    if !IS_LOADED.load(Ordering::Acquire) {
        return Err("load the extension into a connection of this process first".to_owned());
    }
    let (options, descriptor) = refine(Options::new(Backend::from_name(backend)?))?;
    honker_watch::subscribe(path.ok_or("the path is NULL")?, options, descriptor)
}

/// Waits for a commit; see `include/honker.h`.
///
/// # Safety
/// `handle` is null or an open handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn honker_watcher_wait(handle: *mut c_void, timeout_ms: u64) -> c_int {
    // SAFETY: the caller vouches for the handle.
    let Some(subscription) = (unsafe { handle.cast::<Subscription>().as_ref() }) else { return -1 };
    match catch_unwind(AssertUnwindSafe(|| subscription.wait(Duration::from_millis(timeout_ms)))) {
        Ok(Wake::Update) => 1,
        Ok(Wake::Timeout) => 0,
        Ok(Wake::Dead) => -1,
        Err(_) => BUG,
    }
}

/// The handle's pollable descriptor; see `include/honker.h`.
///
/// # Safety
/// `handle` is null or an open handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn honker_watcher_fd(handle: *mut c_void) -> c_int {
    // SAFETY: the caller vouches for the handle.
    let subscription = unsafe { handle.cast::<Subscription>().as_ref() };
    subscription.and_then(Subscription::descriptor).unwrap_or(-1)
}

/// The state and the counters of the handle's watcher, as JSON; see `include/honker.h`.
///
/// # Safety
/// `handle` is null or an open handle, `buffer` null or `length` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn honker_watcher_stats(handle: *mut c_void, buffer: *mut c_char, length: usize) -> usize {
    // SAFETY: the caller vouches for the handle.
    let Some(subscription) = (unsafe { handle.cast::<Subscription>().as_ref() }) else { return 0 };
    let json = catch_unwind(AssertUnwindSafe(|| serde_json::to_string(&subscription.report()).unwrap_or_default()));
    let json = json.unwrap_or_default();
    // SAFETY: the caller vouches for the buffer.
    unsafe { write_text(&json, buffer, length) };
    json.len()
}

/// Keeps watcher threads out of SQLite for a fork; see `include/honker.h`.
#[unsafe(no_mangle)]
pub extern "C" fn honker_watcher_pause() -> c_int {
    c_int::from(honker_watch::pause())
}

/// Ends the pause; see `include/honker.h`.
#[unsafe(no_mangle)]
pub extern "C" fn honker_watcher_resume(is_child: c_int) {
    honker_watch::resume(is_child != 0);
}

/// Closes a handle; see `include/honker.h`.
///
/// # Safety
/// `handle` is null or an open handle, which no thread uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn honker_watcher_close(handle: *mut c_void) {
    if !handle.is_null() {
        // SAFETY: the caller vouches for the handle, which `open` made.
        let subscription = unsafe { Box::from_raw(handle.cast::<Subscription>()) };
        let _panicked = catch_unwind(AssertUnwindSafe(|| drop(subscription)));
    }
}

/// # Safety
/// `text` is null or a C string that outlives the result.
unsafe fn text<'a>(text: *const c_char) -> Result<Option<&'a str>, String> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller vouches for the string.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(Some).map_err(|error| format!("an argument is not UTF-8: {error}"))
}

/// Writes text and a NUL, cut to what fits.
///
/// # Safety
/// `buffer` is null or `length` writable bytes.
unsafe fn write_text(text: &str, buffer: *mut c_char, length: usize) {
    if buffer.is_null() || length == 0 {
        return;
    }
    let count = text.len().min(length - 1);
    // SAFETY: the caller vouches for the buffer, and `count` and the NUL fit into it.
    unsafe {
        buffer.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), count);
        buffer.add(count).write(0);
    }
}
