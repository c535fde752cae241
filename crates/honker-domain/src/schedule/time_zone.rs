//! Which time zone a schedule follows: a named one, or the zone of this process.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Longest time zone name looked at; the longest IANA name has 32 bytes.
const MAX_NAME_BYTES: usize = 255;

/// Where a schedule takes its time zone from.
#[derive(Debug, Clone)]
pub(super) enum Zone {
    /// An IANA zone, found when the expression was parsed.
    Named(TimeZone),
    /// Whatever zone the process is in when a boundary is asked for. It is not resolved at parse time: a process may
    /// set `TZ` after it loaded us, and rows written before time zones were stored mean exactly this.
    Process,
}

impl Zone {
    /// Finds the zone called `name`, ignoring ASCII case; `None` and `""` mean [`Zone::Process`].
    ///
    /// Returns `None` for an unknown name.
    pub(super) fn find(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("") => Some(Self::Process),
            Some(name) if name.len() > MAX_NAME_BYTES => None,
            // "Etc/Unknown" is a name, but no zone: it would silently run as UTC.
            Some(name) => named_zone(name).filter(|zone| !zone.is_unknown()).map(Self::Named),
        }
    }

    /// The rules in force now.
    ///
    /// # Errors
    /// The value of `TZ`, when it is set to something that names no zone. glibc would run such a process in UTC
    /// without a word; a schedule that fires hours off is worse than one that reports why it does not fire.
    pub(super) fn resolve(&self) -> Result<TimeZone, OsString> {
        match self {
            Self::Named(zone) => Ok(zone.clone()),
            Self::Process => process_zone(),
        }
    }
}

/// Everything that decides the zone of a process. jiff caches its answer for five minutes; we compare this instead, so
/// that a change of `TZ` or of the system zone counts from the very next call.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    variable: Option<OsString>,
    link_target: Option<PathBuf>,
    modified_at: Option<SystemTime>,
}

impl Origin {
    const SYSTEM_ZONE_FILE: &str = "/etc/localtime";

    fn now() -> Self {
        let variable = std::env::var_os("TZ");
        if variable.is_some() {
            return Self { variable, link_target: None, modified_at: None };
        }
        Self {
            variable,
            link_target: fs::read_link(Self::SYSTEM_ZONE_FILE).ok(),
            modified_at: fs::metadata(Self::SYSTEM_ZONE_FILE).and_then(|file| file.modified()).ok(),
        }
    }
}

/// The origin jiff's cache was filled from. The lock is held until jiff has answered: otherwise a slower thread could
/// put the zone it read before the change back into the cache.
static CACHED_ORIGIN: Mutex<Option<Origin>> = Mutex::new(None);

fn process_zone() -> Result<TimeZone, OsString> {
    let mut cached = CACHED_ORIGIN.lock().unwrap_or_else(PoisonError::into_inner);
    let origin = Origin::now();
    if cached.as_ref() != Some(&origin) {
        jiff::tz::reset_system_time_zone_cache();
    }
    let zone = TimeZone::try_system();
    let origin = cached.insert(origin);
    match (zone, &origin.variable) {
        (Ok(zone), _) => Ok(zone),
        (Err(_), Some(variable)) => compiled_in_zone(variable).ok_or_else(|| variable.clone()),
        // Neither TZ nor a system zone: a minimal container, which by convention of every libc runs in UTC.
        (Err(_), None) => Ok(TimeZone::UTC),
    }
}

/// The zone called `name`, from the files of the system if they have it: an operator who updates tzdata need not wait
/// for a new release of honker. The copy compiled in serves the rest: slim containers and Windows have no such files,
/// and Debian leaves the old names (`US/Eastern`) out of its standard package.
fn named_zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).or_else(|_| TimeZoneDatabase::bundled().get(name)).ok()
}

/// The zone a `TZ` value names in the copy compiled in; POSIX allows a colon in front of a name.
fn compiled_in_zone(variable: &OsStr) -> Option<TimeZone> {
    let name = variable.to_str()?;
    TimeZoneDatabase::bundled().get(name.strip_prefix(':').unwrap_or(name)).ok()
}
