//! File events on Linux: inotify, by path.
//!
//! A commit writes the `-wal` file (or the database and its `-journal`) *before* it is visible, so an event means: look
//! now and for a little while. Files come and go: the WAL is deleted with the last connection and created anew, so the
//! directory is watched for their names, and each file is watched whenever it is there.

use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

use crate::location::beside;

/// The events that change the contents of a file, or take it away.
const FILE_EVENTS: WatchFlags = WatchFlags::MODIFY.union(WatchFlags::MOVE_SELF).union(WatchFlags::ATTRIB);
/// The events that make a file of that name appear or disappear. None of them fires for reading or opening.
const DIRECTORY_EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ONLYDIR);

/// The events of one database's files.
pub struct Events {
    inotify: OwnedFd,
    files: [PathBuf; 3],
    #[cfg(feature = "failpoints")]
    loss: crate::loss::Loss,
}

impl Events {
    /// Begins to watch.
    ///
    /// # Errors
    /// Whatever the system reports: no inotify instance or watch left, or none to be had on this file system.
    pub fn watch(database: &Path) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let directory = database.parent().unwrap_or(Path::new("/"));
        inotify::add_watch(&inotify, directory, DIRECTORY_EVENTS)?;
        let files = [database.to_owned(), beside(database, "-wal"), beside(database, "-journal")];
        let events = Self {
            inotify,
            files,
            #[cfg(feature = "failpoints")]
            loss: crate::loss::Loss::from_environment(),
        };
        events.watch_files()?;
        Ok(events)
    }

    /// Watches the files that are there. Watching a file again changes nothing.
    fn watch_files(&self) -> io::Result<()> {
        for file in &self.files {
            match inotify::add_watch(&self.inotify, file, FILE_EVENTS) {
                Err(rustix::io::Errno::NOENT) | Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes the events that have come. Returns the number of those that concern the database.
    ///
    /// # Errors
    /// Whatever the system reports when a file cannot be watched any more.
    pub fn take(&mut self) -> io::Result<u64> {
        let mut count = 0;
        let mut files_may_be_new = false;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            let is_ours = name.is_none_or(|name| self.files.iter().any(|file| file.file_name() == Some(name)));
            #[cfg(feature = "failpoints")]
            let is_ours = is_ours && !self.loss.swallows();
            if is_ours {
                count += 1;
                // Events were lost, or a file came, went or was given another name: the watches may be on old files.
                files_may_be_new |= name.is_some() || !event.events().difference(ReadFlags::MODIFY).is_empty();
            }
        }
        if files_may_be_new {
            self.watch_files()?;
        }
        Ok(count)
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
