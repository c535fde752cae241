//! The settings of a watcher.

use std::path::Path;
use std::time::Duration;

use honker_watch::{Backend, Descriptor, Options};

/// The interval between two looks while polling: 1 ms.
pub const DEFAULT_WATCHER_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// A way of noticing commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WatcherBackend {
    /// The version counter of the database, at an interval.
    #[default]
    Polling,
    /// File events of the operating system, checked by a safety tick.
    KernelWatch,
    /// The change counter of the WAL index in shared memory, at an interval; for files in WAL mode.
    ShmFastPath,
}

impl WatcherBackend {
    /// The backend of a name: `polling` or `poll`, `kernel` or `kernel-watcher`, `shm` or `shm-fast-path`. None and the
    /// empty name mean [`WatcherBackend::Polling`].
    ///
    /// ```
    /// use honker_core::WatcherBackend;
    ///
    /// assert_eq!(WatcherBackend::parse(None)?, WatcherBackend::Polling);
    /// assert_eq!(WatcherBackend::parse(Some("kernel"))?, WatcherBackend::KernelWatch);
    /// assert!(WatcherBackend::parse(Some("KERNEL")).unwrap_err().starts_with("unknown watcher backend"));
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// A sentence, for an unknown name.
    pub fn parse(name: Option<&str>) -> Result<Self, String> {
        Ok(match Backend::from_name(name)? {
            Backend::SelfChecking | Backend::Polling => Self::Polling,
            Backend::Kernel => Self::KernelWatch,
            Backend::Shm => Self::ShmFastPath,
        })
    }

    /// Checks that the backend works for a file. Polling always does.
    ///
    /// # Errors
    /// A sentence: file events cannot be had, or the file is not there or not in WAL mode.
    pub fn probe(&self, path: &Path) -> Result<(), String> {
        if *self == Self::Polling {
            return Ok(());
        }
        let text = path.to_str().ok_or_else(|| format!("the path {} is not UTF-8", path.display()))?;
        let outcome = honker_watch::subscribe(text, Options::new(self.of_watcher()), Descriptor::Fastest).map(drop);
        match self {
            Self::ShmFastPath => outcome.map_err(|problem| format!("{text}-shm unavailable: {problem}")),
            Self::Polling | Self::KernelWatch => outcome,
        }
    }

    pub(crate) fn of_watcher(self) -> Backend {
        match self {
            Self::Polling => Backend::Polling,
            Self::KernelWatch => Backend::Kernel,
            Self::ShmFastPath => Backend::Shm,
        }
    }
}

/// The settings of a watcher. The default is polling every millisecond.
///
/// ```
/// use std::time::Duration;
/// use honker_core::{WatcherBackend, WatcherConfig};
///
/// let config = WatcherConfig::default()
///     .with_backend(WatcherBackend::Polling)
///     .with_poll_interval(Duration::from_millis(5))?;
/// assert_eq!(config.poll_interval, Duration::from_millis(5));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatcherConfig {
    /// How commits are noticed.
    pub backend: WatcherBackend,
    /// The interval between two looks while polling. The other backends ignore it.
    pub poll_interval: Duration,
}

impl Default for WatcherConfig {
    fn default() -> Self {
        Self { backend: WatcherBackend::default(), poll_interval: DEFAULT_WATCHER_POLL_INTERVAL }
    }
}

impl WatcherConfig {
    /// The same with another backend.
    #[must_use]
    pub fn with_backend(self, backend: WatcherBackend) -> Self {
        Self { backend, ..self }
    }

    /// The same with another interval.
    ///
    /// # Errors
    /// A sentence, for an interval of zero.
    pub fn with_poll_interval(self, poll_interval: Duration) -> Result<Self, String> {
        if poll_interval.is_zero() {
            return Err("watcher poll interval must be positive".to_owned());
        }
        Ok(Self { poll_interval, ..self })
    }

    pub(crate) fn options(self) -> Options {
        Options { backend: self.backend.of_watcher(), poll_interval: self.poll_interval }
    }
}
