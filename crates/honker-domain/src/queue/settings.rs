//! The settings of a queue: rows of the file, so that every process and language obeys them.
//!
//! A claim reads them in the row of its first look. A queue without a row has none, and pays for none.

use rusqlite::types::ValueRef;
use rusqlite::{Row, params};
use serde::Serialize;

use super::keys;
use super::rate::Rate;
use crate::clock::{Instant, Span};
use crate::limits::CONCURRENCY;
use crate::{Ctx, Result, schema, sql};

/// What becomes of the line of a key when its head is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDead {
    /// The jobs behind it wait until it is requeued, cancelled or purged.
    Block,
    /// The jobs behind it go on.
    Continue,
}

impl OnDead {
    /// The name as it is stored and given.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Continue => "continue",
        }
    }

    /// The value of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Block, Self::Continue].into_iter().find(|each| each.name() == name)
    }
}

/// The settings of a queue. `None` means no limit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Jobs of the queue in flight at most, over all processes.
    pub concurrency: Option<i64>,
    /// Jobs of one key in flight at most, over all processes.
    pub concurrency_per_key: Option<i64>,
    /// One job of a key at a time, in the order of their ids; a job between attempts keeps the line waiting.
    pub is_ordered: bool,
    /// What an ordered line does when its head is dead; `None` means [`OnDead::Block`].
    pub on_dead: Option<OnDead>,
    /// Starts of the queue.
    pub rate: Option<Rate>,
    /// Starts of each key.
    pub rate_per_key: Option<Rate>,
    /// How long finished jobs are kept for inspection.
    pub keep_finished: Option<Span>,
    pub(super) pause: Option<Pause>,
    /// Milliseconds at which the next start is due by `rate`.
    pub(super) next_start_ms: Option<f64>,
    pub(super) has_paused_keys: bool,
}

/// The name of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// [`Settings::concurrency`].
    Concurrency,
    /// [`Settings::concurrency_per_key`].
    ConcurrencyPerKey,
    /// [`Settings::is_ordered`].
    Ordered,
    /// [`Settings::on_dead`].
    OnDead,
    /// [`Settings::rate`].
    Rate,
    /// [`Settings::rate_per_key`].
    RatePerKey,
    /// [`Rate::burst`].
    Burst,
    /// [`Settings::keep_finished`].
    KeepFinished,
}

/// The settings that have a value or were removed. The others were never set: code that fills only unset settings
/// leaves the decided ones alone, or it would undo the removal by an operator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Decided(u8);

impl Decided {
    /// The settings with their columns in `queue_settings.sql`. A setting is decided if its column is not NULL.
    const COLUMNS: [(Setting, usize); 8] = [
        (Setting::Concurrency, 4),
        (Setting::ConcurrencyPerKey, 5),
        (Setting::Ordered, 6),
        (Setting::OnDead, 7),
        (Setting::Rate, 8),
        (Setting::RatePerKey, 10),
        (Setting::Burst, 12),
        (Setting::KeepFinished, 13),
    ];

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let mut decided = Self::default();
        for (setting, column) in Self::COLUMNS {
            if row.get_ref(column)? != ValueRef::Null {
                decided.add(setting);
            }
        }
        Ok(decided)
    }

    /// True if the setting has a value or was removed.
    #[must_use]
    pub const fn has(self, setting: Setting) -> bool {
        self.0 & (1 << setting as u8) != 0
    }

    /// Notes that a setting is given a value or removed.
    pub const fn add(&mut self, setting: Setting) {
        self.0 |= 1 << setting as u8;
    }

    /// Forgets that a setting was given.
    pub const fn remove(&mut self, setting: Setting) {
        self.0 &= !(1 << setting as u8);
    }

    /// The column of a setting: NULL if it was never set, `removed` if it was removed.
    fn column<T>(self, setting: Setting, value: Option<T>, removed: T) -> Option<T> {
        self.has(setting).then(|| value.unwrap_or(removed))
    }
}

/// The column of a number that was removed. Below each range, so every reader takes it for no limit.
const REMOVED: i64 = -1;

/// A pause of a queue or a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pause {
    pub(super) until: Option<Instant>,
}

impl Pause {
    /// A pause from its columns `paused_at` and `paused_until`.
    pub(super) fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Self>> {
        if row.get_ref(at)? == ValueRef::Null {
            return Ok(None);
        }
        Ok(Some(Self { until: Instant::from_stored(row.get_ref(at + 1)?) }))
    }

    pub(super) fn holds(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

impl Settings {
    /// The settings of a queue; the default for one without. Read once a call.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn of(ctx: &Ctx<'_>, queue: &str) -> Result<Self> {
        ctx.settings(queue, || Self::look(ctx, queue))
    }

    /// The settings of a queue as they stand now, although the call may have read them before: for a claim, which begins a
    /// new piece of work.
    pub(super) fn look(ctx: &Ctx<'_>, queue: &str) -> Result<Self> {
        Ok(ctx.row(sql!("queue_settings.sql"), [queue], Self::read)?.unwrap_or_default())
    }

    /// The settings of a queue, and those among them that are decided.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn decided(ctx: &Ctx<'_>, queue: &str) -> Result<(Self, Decided)> {
        let read = |row: &Row<'_>| Ok((Self::read(row)?, Decided::read(row)?));
        Ok(ctx.row(sql!("queue_settings.sql"), [queue], read)?.unwrap_or_default())
    }

    /// From a row of `queue_settings.sql`. A value that was edited into another type counts as no limit.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let integer = |index: usize| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_i64().ok());
        let real = |index: usize| {
            Ok::<_, rusqlite::Error>(match row.get_ref(index)? {
                ValueRef::Integer(value) => Some(as_real(value)),
                ValueRef::Real(value) => Some(value),
                _ => None,
            })
        };
        let positive = |value: Option<i64>| value.filter(|limit| *limit >= 0);
        let (concurrency, concurrency_per_key) = (positive(integer(4)?), positive(integer(5)?));
        // Each column takes the mutex of the connection twice, and each claim of a queue with settings reads them.
        if integer(16)? == Some(1) {
            return Ok(Self { concurrency, concurrency_per_key, ..Self::default() });
        }
        let burst = integer(12)?.unwrap_or(1);
        let rate = |limit: usize| Ok::<_, rusqlite::Error>(Rate::new(integer(limit)?, real(limit + 1)?, burst));
        Ok(Self {
            concurrency,
            concurrency_per_key,
            is_ordered: integer(6)?.unwrap_or(0) != 0,
            on_dead: row.get_ref(7)?.as_str().ok().and_then(OnDead::named),
            rate: rate(8)?,
            rate_per_key: rate(10)?,
            keep_finished: real(13)?.filter(|keep_s| *keep_s > 0.0).map(Span::from_fractional_seconds),
            pause: Pause::read(row, 1)?,
            next_start_ms: real(14)?,
            has_paused_keys: integer(15)?.unwrap_or(0) > 0,
        })
    }

    /// Writes the settings of a queue in place of `before`, and promotes jobs of keys that have room by them. Demands writers
    /// that know them.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn write(&self, before: &Self, decided: Decided, ctx: &Ctx<'_>, queue: &str) -> Result<()> {
        schema::require_writer(ctx)?;
        schema::demand_writer(ctx)?;
        ctx.forget_settings();
        let part = |rate: Option<Rate>| (rate.map(|rate| rate.limit), rate.map(|rate| rate.per_s));
        let ((rate_limit, rate_per_s), (key_limit, key_per_s)) = (part(self.rate), part(self.rate_per_key));
        // Without a rate there is no burst to keep.
        let burst = self.rate.or(self.rate_per_key).map(|rate| rate.burst).filter(|_| decided.has(Setting::Burst));
        let keep_s = self.keep_finished.map(|keep| as_real(keep.as_ms()) / 1e3);
        ctx.change_one(
            sql!("settings_write.sql"),
            params![
                queue,
                decided.column(Setting::Concurrency, self.concurrency, REMOVED),
                decided.column(Setting::ConcurrencyPerKey, self.concurrency_per_key, REMOVED),
                decided.column(Setting::Ordered, Some(i64::from(self.is_ordered)), 0),
                decided.column(Setting::OnDead, self.on_dead.map(OnDead::name), ""),
                decided.column(Setting::Rate, rate_limit, REMOVED),
                rate_per_s,
                decided.column(Setting::RatePerKey, key_limit, REMOVED),
                key_per_s,
                burst,
                decided.column(Setting::KeepFinished, keep_s, as_real(REMOVED)),
            ],
        )?;
        let rules = |settings: &Self| (settings.key_limit(), settings.is_ordered, settings.on_dead);
        if rules(self) == rules(before) { Ok(()) } else { keys::promote_all(ctx, queue) }
    }

    /// How many jobs of one key may be in flight; `None` for any number.
    pub(super) fn key_limit(&self) -> Option<i64> {
        if self.is_ordered { Some(1) } else { self.concurrency_per_key }
    }

    pub(super) fn is_paused(&self, now: Instant) -> bool {
        self.pause.as_ref().is_some_and(|pause| pause.holds(now))
    }

    /// When the pause ends by itself; `None` if there is none, or it has no end.
    pub(super) fn pause_end(&self) -> Option<Instant> {
        self.pause.as_ref().and_then(|pause| pause.until)
    }

    /// True if keys matter to a claim.
    pub(super) fn looks_at_keys(&self) -> bool {
        self.key_limit().is_some() || self.rate_per_key.is_some() || self.has_paused_keys
    }

    /// Room for further jobs in flight, of `wanted`.
    pub(super) fn room_in_flight(&self, ctx: &Ctx<'_>, queue: &str, wanted: i64) -> Result<i64> {
        let Some(limit) = self.concurrency.map(|limit| limit.min(*CONCURRENCY.end())) else { return Ok(wanted) };
        let in_flight: Option<i64> = ctx.row(sql!("stats_processing.sql"), params![queue, limit], |row| row.get(0))?;
        Ok(wanted.min(limit - in_flight.unwrap_or(0)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "settings and spans stay below 2^53")]
pub(super) const fn as_real(value: i64) -> f64 {
    value as f64
}
