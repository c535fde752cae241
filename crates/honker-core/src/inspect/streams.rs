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
}

/// A page of streams.
#[derive(Debug, Serialize)]
pub struct Streams {
    /// By topic.
    pub streams: Vec<Stream>,
    /// The topic after which the list goes on; `None` at its end.
    pub next: Option<String>,
}

/// Up to `n` topics after `after`. Counts go up to 10,000. Reads only, in a snapshot of the caller.
///
/// # Errors
/// Whatever SQLite reports.
pub fn streams(ctx: &Ctx<'_>, after: &str, n: usize) -> Result<Streams> {
    let mut look = Look::begin();
    let mut consumers = consumers(ctx)?;
    let (mut streams, mut last) = (Vec::new(), after.to_owned());
    while let Some(topic) = next_topic(ctx, &consumers, &last)? {
        if streams.len() >= n || look.is_over() {
            return Ok(Streams { streams, next: Some(last) });
        }
        look.count();
        let of_topic = consumers.remove(&topic).unwrap_or_default();
        streams.push(stream(ctx, &topic, of_topic)?);
        last = topic;
    }
    Ok(Streams { streams, next: None })
}

type Offsets = BTreeMap<String, Vec<(String, i64)>>;

fn consumers(ctx: &Ctx<'_>) -> Result<Offsets> {
    let mut found = Offsets::new();
    let rows = ctx.rows(sql!("stream_consumers.sql"), [CONSUMERS_READ], |row| {
        let text = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_str().unwrap_or_default().to_owned());
        Ok((text(0)?, text(1)?, row.get_ref(2)?.as_i64().unwrap_or(0)))
    })?;
    for (topic, name, offset) in rows {
        found.entry(topic).or_default().push((name, offset));
    }
    Ok(found)
}

fn next_topic(ctx: &Ctx<'_>, consumers: &Offsets, after: &str) -> Result<Option<String>> {
    use std::ops::Bound::{Excluded, Unbounded};
    // A topic that is no text was written by hand, and sorts after every text.
    let with_events =
        ctx.row(sql!("stream_next.sql"), [after], |row| Ok(row.get_ref(0)?.as_str().ok().map(str::to_owned)))?;
    let with_consumers = consumers.range::<str, _>((Excluded(after), Unbounded)).next().map(|(topic, _)| topic.clone());
    Ok([with_events.flatten(), with_consumers].into_iter().flatten().min())
}

fn stream(ctx: &Ctx<'_>, topic: &str, consumers: Vec<(String, i64)>) -> Result<Stream> {
    let ends = ctx.row(sql!("stream_ends.sql"), [topic], |row| {
        Ok((row.get_ref(0)?.as_i64().ok(), row.get_ref(1)?.as_i64().ok(), Instant::from_stored(row.get_ref(2)?)))
    })?;
    let (first_offset, last_offset, last_at) = ends.unwrap_or_default();
    let (count, count_is_exact) = behind(ctx, topic, i64::MIN)?;
    let consumers = consumers
        .into_iter()
        .map(|(name, offset)| {
            let (lag, lag_is_exact) = behind(ctx, topic, offset)?;
            Ok(Consumer { name, offset, lag, lag_is_exact })
        })
        .collect::<Result<_>>()?;
    Ok(Stream { topic: topic.to_owned(), first_offset, last_offset, last_at, count, count_is_exact, consumers })
}

/// How many events of a topic lie behind an offset, and if that is all.
fn behind(ctx: &Ctx<'_>, topic: &str, offset: i64) -> Result<(i64, bool)> {
    let probe = COUNT_LIMIT_DEFAULT + 1;
    let count: i64 = ctx.row(sql!("stream_count.sql"), params![topic, offset, probe], |row| row.get(0))?.unwrap_or(0);
    Ok((count.min(COUNT_LIMIT_DEFAULT), count < probe))
}
