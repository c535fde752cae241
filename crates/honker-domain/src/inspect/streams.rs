//! Streams with the lag of their consumers.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::Serialize;

use super::look::Look;
use crate::clock::Instant;
use crate::limits::{CONSUMERS_READ, COUNT_LIMIT_DEFAULT};
use crate::{Ctx, Result, sql};

/// A consumer of a topic.
#[derive(Debug, Serialize)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// The offset that it has saved.
    pub offset: i64,
    /// The events behind that offset.
    pub lag: i64,
    /// False if there are more.
    pub lag_is_exact: bool,
}

/// A topic with events or consumers.
#[derive(Debug, Serialize)]
pub struct Stream {
    /// The topic.
    pub topic: String,
    /// The offset of its first event, if it has any.
    pub first_offset: Option<i64>,
    /// That of its last one.
    pub last_offset: Option<i64>,
    /// When that was published.
    pub last_at: Option<Instant>,
    /// How many events it has.
    pub count: i64,
    /// False if there are more.
    pub count_is_exact: bool,
    /// Its consumers, by name.
    pub consumers: Vec<Consumer>,
    /// False if the file has more consumers than a list reads: this stream may have others.
    pub consumers_are_complete: bool,
}

/// A page of streams.
#[derive(Debug, Serialize)]
pub struct Streams {
    /// By topic.
    pub streams: Vec<Stream>,
    /// The topic after which the list goes on; `None` at its end.
    pub next: Option<String>,
}

/// Up to `n` topics after `after`. Counts go up to 10,000, and no more than [`CONSUMERS_READ`] consumers of the file are read.
/// Reads only, in a snapshot of the caller.
///
/// # Errors
/// Whatever SQLite reports.
pub fn streams(ctx: &Ctx<'_>, after: &str, n: usize) -> Result<Streams> {
    let mut look = Look::begin();
    let mut consumers = Consumers::read(ctx)?;
    let (mut streams, mut last) = (Vec::new(), after.to_owned());
    while let Some(topic) = next_topic(ctx, &consumers.offsets, &last)? {
        if streams.len() >= n || look.is_over() {
            return Ok(Streams { streams, next: Some(last) });
        }
        look.count();
        let offsets = consumers.offsets.remove(&topic).unwrap_or_default();
        streams.push(stream(ctx, &topic, offsets, consumers.are_complete)?);
        last = topic;
    }
    Ok(Streams { streams, next: None })
}

type Offsets = BTreeMap<String, Vec<(String, i64)>>;

/// The consumers of a file, by topic and name.
struct Consumers {
    offsets: Offsets,
    /// False if there are more.
    are_complete: bool,
}

impl Consumers {
    /// The table has no index by topic, so a page reads them all, up to the bound.
    fn read(ctx: &Ctx<'_>) -> Result<Self> {
        let mut rows = ctx.rows(sql!("stream_consumers.sql"), [CONSUMERS_READ + 1], |row| {
            let text = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_str().unwrap_or_default().to_owned());
            Ok((text(0)?, text(1)?, row.get_ref(2)?.as_i64().unwrap_or(0)))
        })?;
        let most = usize::try_from(CONSUMERS_READ).unwrap_or(usize::MAX);
        let are_complete = rows.len() <= most;
        rows.truncate(most);
        let mut offsets = Offsets::new();
        for (topic, name, offset) in rows {
            offsets.entry(topic).or_default().push((name, offset));
        }
        Ok(Self { offsets, are_complete })
    }
}

fn next_topic(ctx: &Ctx<'_>, consumers: &Offsets, after: &str) -> Result<Option<String>> {
    use std::ops::Bound::{Excluded, Unbounded};
    // A topic that is no text was written by hand, and sorts after every text.
    let with_events =
        ctx.row(sql!("stream_next.sql"), [after], |row| Ok(row.get_ref(0)?.as_str().ok().map(str::to_owned)))?;
    let with_consumers = consumers.range::<str, _>((Excluded(after), Unbounded)).next().map(|(topic, _)| topic.clone());
    Ok([with_events.flatten(), with_consumers].into_iter().flatten().min())
}

fn stream(ctx: &Ctx<'_>, topic: &str, offsets: Vec<(String, i64)>, consumers_are_complete: bool) -> Result<Stream> {
    let ends = ctx.row(sql!("stream_ends.sql"), [topic], |row| {
        Ok((row.get_ref(0)?.as_i64().ok(), row.get_ref(1)?.as_i64().ok(), Instant::from_stored(row.get_ref(2)?)))
    })?;
    let (first_offset, last_offset, last_at) = ends.unwrap_or_default();
    let (count, count_is_exact) = behind(ctx, topic, i64::MIN, i64::MAX, 0)?;
    let consumers = lags(ctx, topic, offsets)?;
    let topic = topic.to_owned();
    Ok(Stream { topic, first_offset, last_offset, last_at, count, count_is_exact, consumers, consumers_are_complete })
}

/// The consumers with their lags, in the order of their names.
///
/// The one that is furthest ahead is counted first, and each adds the events between it and the one before. So all of them
/// together visit no more events than one that is 10,000 behind.
fn lags(ctx: &Ctx<'_>, topic: &str, mut offsets: Vec<(String, i64)>) -> Result<Vec<Consumer>> {
    offsets.sort_by_key(|(_, offset)| std::cmp::Reverse(*offset));
    let mut consumers = Vec::with_capacity(offsets.len());
    let (mut ahead, mut lag, mut lag_is_exact) = (i64::MAX, 0, true);
    for (name, offset) in offsets {
        // Consumers at the same offset, and those behind the first whose lag has reached the limit, need no further look.
        if lag_is_exact && offset < ahead {
            (lag, lag_is_exact) = behind(ctx, topic, offset, ahead, lag)?;
            ahead = offset;
        }
        consumers.push(Consumer { name, offset, lag, lag_is_exact });
    }
    consumers.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(consumers)
}

/// How many events of a topic lie behind an offset, and if that is all; `known` of them lie behind the offset `last`.
fn behind(ctx: &Ctx<'_>, topic: &str, offset: i64, last: i64, known: i64) -> Result<(i64, bool)> {
    let probe = COUNT_LIMIT_DEFAULT + 1 - known;
    let found: i64 =
        ctx.row(sql!("stream_count.sql"), params![topic, offset, last, probe], |row| row.get(0))?.unwrap_or(0);
    Ok(((known + found).min(COUNT_LIMIT_DEFAULT), found < probe))
}
