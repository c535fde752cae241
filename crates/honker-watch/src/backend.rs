//! How commits are noticed, by name.

use std::time::Duration;

/// The interval between two looks while polling, unless the caller says otherwise.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// A way of noticing commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// File events, checked by a safety tick; polling instead where events cannot be had or prove unreliable.
    SelfChecking,
    /// `data_version` at an interval.
    Polling,
    /// File events, checked by a safety tick; an error where they cannot be had.
    Kernel,
    /// The change counter of the WAL index in shared memory, at an interval; an error outside WAL mode.
    Shm,
}

impl Backend {
    /// The backend of that name; none or an empty one means the default.
    ///
    /// # Errors
    /// A sentence, for a name that is unknown. There is no silent fallback.
    pub fn from_name(name: Option<&str>) -> Result<Self, String> {
        match name {
            None | Some("") => Ok(Self::SelfChecking),
            Some("polling" | "poll") => Ok(Self::Polling),
            Some("kernel" | "kernel-watcher") => Ok(Self::Kernel),
            Some("shm" | "shm-fast-path") => Ok(Self::Shm),
            Some(other) => {
                Err(format!("unknown watcher backend {other:?}; leave it out, or choose polling, kernel or shm"))
            }
        }
    }
}

/// What a watcher is asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// How commits are noticed.
    pub backend: Backend,
    /// The interval between two looks while polling.
    pub poll_interval: Duration,
}

impl Options {
    /// A backend at the default interval.
    #[must_use]
    pub const fn new(backend: Backend) -> Self {
        Self { backend, poll_interval: POLL_INTERVAL }
    }

    /// The same with another interval.
    ///
    /// # Errors
    /// A sentence, for an interval that is not positive.
    pub fn with_poll_interval_ms(self, milliseconds: i64) -> Result<Self, String> {
        match u64::try_from(milliseconds) {
            Ok(positive @ 1..) => Ok(Self { poll_interval: Duration::from_millis(positive), ..self }),
            _ => Err(format!("watcher poll interval must be positive, not {milliseconds} ms")),
        }
    }
}
