//! Why a job is not running, in words: by the rules of the claim, in the order in which a claim applies them.

use rusqlite::types::ValueRef;
use rusqlite::{Params, params};

use super::claim::instant_of_start;
use super::keys::{self, Obstacle, Place};
use super::settings::Settings;
use super::ties;
use crate::clock::Instant;
use crate::limits::HOLDERS_NAMED;
use crate::statements::Sql;
use crate::{Ctx, Result, sql};

/// A live job.
struct Facts {
    id: i64,
    queue: String,
    state: String,
    run_at: Option<Instant>,
    expires_at: Option<Instant>,
    key: Option<String>,
    ties: i64,
    place: Place,
    attempts: i64,
    worker_id: Option<String>,
    lease_end: Option<Instant>,
    cancel_requested_at: Option<Instant>,
    unknown_since: Option<Instant>,
}

impl Facts {
    fn of(ctx: &Ctx<'_>, id: i64) -> Result<Option<Self>> {
        ctx.row(sql!("why_job.sql"), [id], |row| {
            let text = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_str().ok().map(str::to_owned));
            let integer = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_i64().unwrap_or(0));
            let instant = |index| Ok::<_, rusqlite::Error>(Instant::from_stored(row.get_ref(index)?));
            Ok(Self {
                id,
                queue: text(0)?.unwrap_or_default(),
                state: text(1)?.unwrap_or_default(),
                run_at: instant(2)?,
                expires_at: instant(3)?,
                key: text(4)?,
                ties: integer(5)?,
                place: Place { id, priority: integer(6)?, created_at: instant(7)? },
                attempts: integer(8)?,
                worker_id: text(9)?,
                lease_end: instant(10)?,
                cancel_requested_at: instant(11)?,
                unknown_since: instant(12)?,
            })
        })
    }
}

/// Why a live job is not running, or by whom it is run. `None` if it is not live. Reads only, in a snapshot of the caller.
pub(crate) fn why(ctx: &Ctx<'_>, id: i64) -> Result<Option<String>> {
    let Some(facts) = Facts::of(ctx, id)? else { return Ok(None) };
    let reasons = match facts.state.as_str() {
        "processing" => vec![of_running(ctx, &facts)],
        "waiting" => vec![of_waiting(ctx, &facts)?],
        "pending" | "blocked" => of_pending(ctx, &facts)?,
        other => vec![format!("state {other:?}, which only another program knows")],
    };
    Ok(Some(reasons.join("; ")))
}

fn of_running(ctx: &Ctx<'_>, facts: &Facts) -> String {
    let worker = facts.worker_id.as_deref().unwrap_or("an unknown worker");
    let text = match facts.lease_end {
        Some(end) if end.after_lease() <= ctx.now() => {
            format!("the lease of {worker} expired at {end}, and the next claim takes the job back")
        }
        Some(end) => format!("running: held by {worker} until {end}"),
        None => format!("running: held by {worker}"),
    };
    facts.cancel_requested_at.map_or_else(|| text.clone(), |at| format!("{text}; asked to end at {at}"))
}

fn of_waiting(ctx: &Ctx<'_>, facts: &Facts) -> Result<String> {
    let parents = ids(ctx, sql!("why_parents.sql"), params![facts.id, HOLDERS_NAMED + 1])?;
    Ok(match parents.as_slice() {
        [] => "waits for parents that are gone, until a worker is idle".to_owned(),
        [_] => format!("waits for parent {}", listed(&parents)),
        _ => format!("waits for parents {}", listed(&parents)),
    })
}

fn of_pending(ctx: &Ctx<'_>, facts: &Facts) -> Result<Vec<String>> {
    let now = ctx.now();
    let settings = Settings::of(ctx, &facts.queue)?;
    let mut reasons = Vec::new();
    if facts.expires_at.is_some_and(|at| at <= now) {
        reasons.push("expired: the next claim makes it a dead letter".to_owned());
    }
    reasons.extend(of_time(facts, now));
    reasons.extend(of_queue_pause(ctx, facts)?);
    if facts.state == "blocked" || facts.run_at.is_none_or(|at| at <= now) {
        reasons.extend(of_queue(ctx, &settings, facts)?);
        reasons.extend(of_key(ctx, &settings, facts)?);
    }
    if let Some(since) = facts.unknown_since {
        reasons.push(format!("no worker that has claimed it since {since} knows its task"));
    }
    if reasons.is_empty() {
        let since = facts.run_at.map_or_else(String::new, |at| format!("due since {at}: "));
        reasons.push(since + "no worker has claimed it yet");
    }
    Ok(reasons)
}

fn of_time(facts: &Facts, now: Instant) -> Option<String> {
    let at = facts.run_at.filter(|at| facts.state == "pending" && *at > now)?;
    Some(match &facts.key {
        Some(key) if facts.ties & ties::START_GIVEN != 0 => format!("rate of key {key}: next start at {at}"),
        _ if facts.attempts > 0 => format!("delayed until {at}, after {} attempts", facts.attempts),
        _ => format!("delayed until {at}"),
    })
}

fn of_queue_pause(ctx: &Ctx<'_>, facts: &Facts) -> Result<Option<String>> {
    ctx.row(sql!("paused_at.sql"), params![facts.queue, ctx.now()], |row| {
        Ok(paused("queue", Instant::from_stored(row.get_ref(1)?), row.get_ref(2)?))
    })
}

fn paused(what: &str, until: Option<Instant>, reason: ValueRef<'_>) -> String {
    let reason = reason.as_str().ok().filter(|reason| !reason.is_empty());
    let until = until.map_or_else(String::new, |until| format!(" until {until}"));
    format!("{what} paused{until}{}", reason.map_or_else(String::new, |reason| format!(": {reason}")))
}

fn of_queue(ctx: &Ctx<'_>, settings: &Settings, facts: &Facts) -> Result<Vec<String>> {
    let mut reasons = Vec::new();
    if let Some(limit) = settings.concurrency
        && settings.room_in_flight(ctx, &facts.queue, 1)? <= 0
    {
        let held = ids(ctx, sql!("why_queue_holders.sql"), params![facts.queue, HOLDERS_NAMED + 1])?;
        reasons.push(format!("queue: all of its {limit} slots held by {}", listed(&held)));
    }
    if let Some(at) = instant_of_start(ctx, settings).filter(|at| *at > ctx.now()) {
        reasons.push(format!("rate: next start at {at}"));
    }
    Ok(reasons)
}

fn of_key(ctx: &Ctx<'_>, settings: &Settings, facts: &Facts) -> Result<Option<String>> {
    let Some(key) = &facts.key else { return Ok(None) };
    let queue = &facts.queue;
    let has_start = facts.ties & ties::START_GIVEN != 0;
    let Some(obstacle) = keys::obstacle(ctx, settings, queue, key, facts.place, has_start)? else {
        return Ok((facts.state == "blocked").then(|| format!("key {key}: waits for the next claim")));
    };
    let text = match obstacle {
        Obstacle::Paused => {
            let pause = ctx.row(sql!("why_key.sql"), params![queue, key], |row| {
                Ok(paused(&format!("key {key}"), Instant::from_stored(row.get_ref(0)?), row.get_ref(1)?))
            })?;
            pause.unwrap_or_else(|| format!("key {key} paused"))
        }
        Obstacle::Head(head) => format!("key {key}: in order, and job {head} goes first"),
        Obstacle::Full { limit, in_flight } => {
            let held = ids(ctx, sql!("why_key_holders.sql"), params![queue, key, HOLDERS_NAMED + 1])?;
            format!("key {key}: {in_flight} of {limit} slots held by {}", listed(&held))
        }
        Obstacle::Behind(first) => format!("key {key}: job {first} goes first"),
        Obstacle::Rate(at) => format!("rate of key {key}: next start at {at}"),
    };
    Ok(Some(text))
}

fn ids(ctx: &Ctx<'_>, sql: &'static Sql, params: impl Params) -> Result<Vec<i64>> {
    ctx.rows(sql, params, |row| row.get(0))
}

/// The ids, of which one more was read than is named.
fn listed(ids: &[i64]) -> String {
    let named = usize::try_from(HOLDERS_NAMED).unwrap_or(usize::MAX);
    let mut text = ids.iter().take(named).map(i64::to_string).collect::<Vec<_>>().join(", ");
    if ids.len() > named {
        text += " and others";
    }
    text
}
