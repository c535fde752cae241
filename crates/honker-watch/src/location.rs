//! Where a database file is, and whether it is still the same one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A database file, and the options of its URI with which another connection must open it too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    pub path: PathBuf,
    /// Connections share the locks of one VFS only; `None` is the default one.
    pub vfs: Option<String>,
    /// A connection that may write would make a checkpoint when it is the last one to be closed.
    pub is_read_only: bool,
}

/// The file behind a name for SQLite: a path, relative or through links, or a `file:` URI.
pub fn resolve(given: &str) -> io::Result<Location> {
    let Some(uri) = given.strip_prefix("file:") else {
        return Ok(Location { path: real_path(Path::new(given))?, vfs: None, is_read_only: false });
    };
    let options = options(uri);
    refuse_unsafe(&options)?;
    let last = |wanted: &str| options.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    Ok(Location {
        path: real_path(&uri_path(uri))?,
        vfs: last("vfs").filter(|name| !name.is_empty()),
        is_read_only: last("mode").is_some_and(|mode| mode == "ro"),
    })
}

fn real_path(named: &Path) -> io::Result<PathBuf> {
    if let Ok(real) = fs::canonicalize(named) {
        return Ok(real);
    }
    // The file need not be there yet; its directory must.
    let absolute = std::path::absolute(named)?;
    let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} names no file", named.display())));
    };
    Ok(fs::canonicalize(parent)?.join(name))
}

/// Refuses a URI whose connections do not lock the file as the watcher's own does: SQLite would reset a WAL that the
/// other connections still use, and lose their commits.
fn refuse_unsafe(options: &[(String, String)]) -> io::Result<()> {
    for (name, value) in options {
        let is_on = !matches!(value.to_ascii_lowercase().as_str(), "0" | "no" | "off" | "false");
        let is_unsafe = match name.as_str() {
            "nolock" | "immutable" => is_on,
            // One that locks nothing, one whose locks are files beside the database, one for a single process.
            "vfs" => ["-none", "-dotfile", "-excl"].iter().any(|end| value.ends_with(end)) || value == "memdb",
            "mode" => value == "memory",
            // Its connections lock tables against each other, which is no lock of the file.
            "cache" => value == "shared",
            _ => false,
        };
        if is_unsafe {
            let problem =
                format!("{name}={value} in the URI: such connections share no locks with a watcher; leave it out");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
    }
    Ok(())
}

/// The options of a URI, decoded.
fn options(uri: &str) -> Vec<(String, String)> {
    let query = uri.split('#').next().unwrap_or_default().split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').map(|option| option.split_once('=').unwrap_or((option, "")));
    pairs.map(|(name, value)| (percent_decoded(name), percent_decoded(value))).collect()
}

/// The path of a URI without its scheme: `//authority/path?query#fragment`, percent-encoded.
fn uri_path(uri: &str) -> PathBuf {
    let uri = uri.split(['?', '#']).next().unwrap_or_default();
    let path = match uri.strip_prefix("//") {
        Some(rest) => rest.find('/').map_or("", |start| &rest[start..]),
        None => uri,
    };
    PathBuf::from(percent_decoded(path))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = if first == b'%' { after.get(..2).and_then(hex_byte) } else { None };
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    // `from_str_radix` alone would take a sign.
    let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

/// The path of a file that SQLite keeps beside the database.
pub fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

/// Which file a path leads to. Asked without opening it.
///
/// The watcher's connection keeps the old file alive, so its inode number cannot be given to the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

/// What is at a path.
pub enum Found {
    File(Identity),
    Nothing,
    /// The process may not look there, which says nothing about the file.
    Unknown,
}

impl Identity {
    /// What is at `path` now.
    pub fn find(path: &Path) -> Found {
        match fs::metadata(path) {
            Ok(file) => Found::File(Self::from(&file)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Found::Nothing
            }
            Err(_) => Found::Unknown,
        }
    }

    /// The identity of the file at `path`; `None` while there is no file.
    pub fn of(path: &Path) -> Option<Self> {
        match Self::find(path) {
            Found::File(identity) => Some(identity),
            Found::Nothing | Found::Unknown => None,
        }
    }
}

#[cfg(unix)]
impl From<&fs::Metadata> for Identity {
    fn from(file: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: file.dev(), inode: file.ino() }
    }
}

/// Elsewhere an open database cannot be replaced.
#[cfg(not(unix))]
impl From<&fs::Metadata> for Identity {
    fn from(_file: &fs::Metadata) -> Self {
        Self {}
    }
}

#[cfg(test)]
mod tests {
    use super::{resolve, uri_path};
    use std::path::Path;

    #[test]
    fn options_of_a_uri_are_kept_for_the_watcher_or_refused() {
        let options = |query: &str| {
            resolve(&format!("file:/app.db?{query}")).map(|location| (location.vfs, location.is_read_only)).ok()
        };
        for refused in [
            "nolock=1",
            "immutable=yes",
            "cache=shared",
            "mode=memory",
            "vfs=memdb",
            "vfs=unix-none",
            "vfs=unix-excl",
            "vfs=unix-dotfile",
            "vfs=win32-none",
            "mode=rw&vfs=unix%2Dnone",
        ] {
            assert_eq!(options(refused), None, "{refused}");
        }
        for default in ["", "nolock=0", "immutable=off", "cache=private", "mode=rw", "mode=rwc", "psow=0", "modeof=x"] {
            assert_eq!(options(default), Some((None, false)), "{default}");
        }
        assert_eq!(options("mode=rwc&vfs=unix&mode=ro"), Some((Some("unix".to_owned()), true)));
    }

    #[test]
    fn uri_path_drops_authority_query_and_fragment_and_decodes() {
        for (uri, path) in [
            ("/data/app.db", "/data/app.db"),
            ("///data/app.db?mode=ro", "/data/app.db"),
            ("//localhost/data/app.db#x", "/data/app.db"),
            ("app%20one.db?cache=private", "app one.db"),
            ("/d/%C3%A9t%C3%A9.db", "/d/été.db"),
            ("/d/100%.db", "/d/100%.db"),
            ("/d/%+1.db", "/d/%+1.db"),
        ] {
            assert_eq!(uri_path(uri), Path::new(path), "{uri}");
        }
    }
}
