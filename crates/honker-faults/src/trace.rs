//! The log of all writes, in their order.
//!
//! Each record is: the event's letter, the length of the path in two bytes, a number in eight, the length of the data in
//! four, all little-endian; then path and data.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::{Mutex, PoisonError};

/// What happened, by the letter that stands for it.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Event {
    /// A file was opened that was to be created if it was missing.
    Create = b'C',
    /// Data was written at an offset.
    Write = b'W',
    /// A file was cut to a size.
    Truncate = b'T',
    /// What was written to a file so far will survive a power cut.
    Sync = b'S',
    /// A file was removed; the number tells whether the directory was synced.
    Delete = b'D',
    /// The test's own mark.
    Mark = b'M',
}

static LOG: Mutex<Option<BufWriter<File>>> = Mutex::new(None);

pub fn begin(path: &str) -> std::io::Result<()> {
    let file = BufWriter::new(File::create(path)?);
    *LOG.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    Ok(())
}

pub fn end() -> std::io::Result<()> {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner).take();
    log.map_or(Ok(()), |mut log| log.flush())
}

/// Adds a record, if a log is kept.
pub fn record(event: Event, path: &str, number: u64, data: &[u8]) {
    let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(log) = log.as_mut() {
        write(log, event, path, number, data).expect("the log of a test can be written");
    }
}

fn write(log: &mut impl Write, event: Event, path: &str, number: u64, data: &[u8]) -> std::io::Result<()> {
    let path_length = u16::try_from(path.len()).map_err(std::io::Error::other)?;
    let data_length = u32::try_from(data.len()).map_err(std::io::Error::other)?;
    log.write_all(&[event as u8])?;
    log.write_all(&path_length.to_le_bytes())?;
    log.write_all(&number.to_le_bytes())?;
    log.write_all(&data_length.to_le_bytes())?;
    log.write_all(path.as_bytes())?;
    log.write_all(data)
}
