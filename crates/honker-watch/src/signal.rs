//! Waking one subscriber: a descriptor that becomes readable, so that any event loop can wait for it.
//!
//! Each write adds 1 for an update, or 2^32 for the watcher's death; what has not been read adds up. So an eventfd
//! coalesces by nature and never blocks the watcher, and the reader sees at once which of the two it was.

use std::time::Duration;

/// What a subscriber learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something was committed since the last time.
    Update,
    /// Nothing within the time given.
    Timeout,
    /// The watcher has ended; it will never wake anybody again.
    Dead,
}

const UPDATE: u64 = 1;
const DEATH: u64 = 1 << 32;

#[cfg(unix)]
pub use descriptor::Signal;
#[cfg(not(unix))]
pub use flag::Signal;

#[cfg(unix)]
mod descriptor {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, poll};

    use super::{DEATH, UPDATE, Wake, timespec};

    /// A pollable signal: an eventfd, or a pipe where there is none.
    #[derive(Debug)]
    pub struct Signal {
        reader: OwnedFd,
        #[cfg(not(target_os = "linux"))]
        writer: OwnedFd,
    }

    impl Signal {
        #[cfg(target_os = "linux")]
        pub fn new() -> io::Result<Self> {
            use rustix::event::{EventfdFlags, eventfd};
            Ok(Self { reader: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
        }

        #[cfg(not(target_os = "linux"))]
        pub fn new() -> io::Result<Self> {
            use rustix::fs::{OFlags, fcntl_setfl};
            use rustix::io::{FdFlags, fcntl_setfd};
            let (reader, writer) = rustix::pipe::pipe()?;
            for end in [&reader, &writer] {
                fcntl_setfl(end, OFlags::NONBLOCK)?;
                fcntl_setfd(end, FdFlags::CLOEXEC)?;
            }
            Ok(Self { reader, writer })
        }

        fn writer(&self) -> BorrowedFd<'_> {
            #[cfg(target_os = "linux")]
            return self.reader.as_fd();
            #[cfg(not(target_os = "linux"))]
            return self.writer.as_fd();
        }

        pub fn update(&self) {
            self.write(UPDATE);
        }

        pub fn die(&self) {
            self.write(DEATH);
        }

        fn write(&self, value: u64) {
            // A full pipe is readable already, which is all that is wanted.
            let _full = rustix::io::write(self.writer(), &value.to_ne_bytes());
        }

        /// Takes what was signalled, without waiting.
        pub fn take(&self) -> Wake {
            let mut wake = Wake::Timeout;
            let mut buffer = [0; 512];
            while let Ok(length @ 1..) = rustix::io::read(&self.reader, &mut buffer) {
                let (records, _) = buffer[..length].as_chunks::<8>();
                let is_dead = records.iter().any(|record| u64::from_ne_bytes(*record) >= DEATH);
                wake = if is_dead || wake == Wake::Dead { Wake::Dead } else { Wake::Update };
            }
            wake
        }

        /// Waits for a signal and takes it.
        pub fn wait(&self, timeout: Duration) -> Wake {
            let deadline = Instant::now() + timeout;
            loop {
                let wake = self.take();
                let left = deadline.saturating_duration_since(Instant::now());
                if wake != Wake::Timeout || left.is_zero() {
                    return wake;
                }
                // An interrupted wait is waited again.
                let _interrupted = poll(&mut [PollFd::new(&self.reader, PollFlags::IN)], Some(&timespec(left)));
            }
        }

        /// The descriptor to wait for. Owned by the signal: not to be closed by anybody else.
        #[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
        pub fn descriptor(&self) -> Option<i32> {
            Some(self.reader.as_raw_fd())
        }
    }

    impl AsFd for Signal {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.reader.as_fd()
        }
    }
}

/// A duration as the system takes it.
#[cfg(unix)]
pub fn timespec(duration: Duration) -> rustix::event::Timespec {
    rustix::event::Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

#[cfg(not(unix))]
mod flag {
    use std::sync::{Condvar, Mutex, PoisonError};
    use std::time::Duration;

    use super::{DEATH, UPDATE, Wake};

    /// A signal without a descriptor, for systems that cannot poll one.
    #[derive(Debug, Default)]
    pub struct Signal {
        value: Mutex<u64>,
        raised: Condvar,
    }

    impl Signal {
        pub fn new() -> std::io::Result<Self> {
            Ok(Self::default())
        }

        pub fn update(&self) {
            self.write(UPDATE);
        }

        pub fn die(&self) {
            self.write(DEATH);
        }

        fn write(&self, value: u64) {
            *self.value.lock().unwrap_or_else(PoisonError::into_inner) |= value;
            self.raised.notify_all();
        }

        pub fn take(&self) -> Wake {
            self.wait(Duration::ZERO)
        }

        pub fn wait(&self, timeout: Duration) -> Wake {
            let value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
            let (mut value, _) = self
                .raised
                .wait_timeout_while(value, timeout, |value| *value == 0)
                .unwrap_or_else(PoisonError::into_inner);
            match std::mem::take(&mut *value) {
                0 => Wake::Timeout,
                DEATH.. => Wake::Dead,
                _ => Wake::Update,
            }
        }

        pub fn descriptor(&self) -> Option<i32> {
            None
        }
    }
}
