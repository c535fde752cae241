//! Workflows: records in a stream, with the states of their jobs.
//!
//! A record is an event of [`TOPIC`]: an object with a name and the ids of the jobs by name. Packages write it in the transaction
//! of the jobs.

use std::collections::BTreeMap;

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use super::look::Look;
use crate::clock::Instant;
use crate::limits::WORKFLOW_JOBS_SHOWN;
use crate::{Ctx, Result, sql};

/// The topic of the records.
const TOPIC: &str = "_workflows";

#[derive(Deserialize)]
struct Record {
    name: String,
    jobs: serde_json::Map<String, serde_json::Value>,
}

/// A job of a workflow.
#[derive(Debug, Serialize)]
pub struct Member {
    /// Its name in the workflow.
    pub name: String,
    /// Its id.
    pub job_id: i64,
    /// Its state; `done` if it is gone.
    pub state: String,
}

/// A workflow.
#[derive(Debug, Serialize)]
pub struct Workflow {
    /// The offset of its record.
    pub id: i64,
    /// Its name, perhaps empty.
    pub name: String,
    /// When it was enqueued.
    pub created_at: Option<Instant>,
    /// How many jobs it has.
    pub count: usize,
    /// How many of `jobs` are in each state.
    pub states: BTreeMap<String, i64>,
    /// The first of its jobs.
    pub jobs: Vec<Member>,
}

/// A page of workflows.
#[derive(Debug, Serialize)]
pub struct Workflows {
    /// The last one first.
    pub workflows: Vec<Workflow>,
    /// The id below which the list goes on; `None` at its end.
    pub next: Option<i64>,
}

/// Up to `n` workflows with ids below `after`, the last one first. Reads only, in a snapshot of the caller.
///
/// # Errors
/// Whatever SQLite reports.
pub fn workflows(ctx: &Ctx<'_>, after: Option<i64>, n: usize) -> Result<Workflows> {
    let mut look = Look::begin();
    let mut statement = ctx.prepare(sql!("workflows.sql"))?;
    let mut rows = statement.cursor(params![TOPIC, after.unwrap_or(i64::MAX)])?;
    let (mut workflows, mut last) = (Vec::new(), after);
    while let Some(row) = rows.next()? {
        if workflows.len() >= n || look.is_over() {
            return Ok(Workflows { workflows, next: last });
        }
        look.count();
        let id = row.get(0)?;
        last = Some(id);
        let payload = row.get_ref(1)?.as_str().unwrap_or_default();
        // Something else that was published under the topic is passed over.
        if let Ok(record) = serde_json::from_str::<Record>(payload) {
            let created_at = Instant::from_stored(row.get_ref(2)?);
            workflows.push(workflow(ctx, id, created_at, &record, &mut look)?);
        }
    }
    Ok(Workflows { workflows, next: None })
}

/// The ids of the jobs of a workflow; none if it is not recorded. Reads only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn members(ctx: &Ctx<'_>, id: i64) -> Result<Vec<i64>> {
    let Some(below) = id.checked_add(1) else { return Ok(Vec::new()) };
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get_ref(1)?.as_str().unwrap_or_default().to_owned()));
    let record = ctx.row(sql!("workflows.sql"), params![TOPIC, below], read)?.filter(|(offset, _)| *offset == id);
    let record = record.and_then(|(_, payload)| serde_json::from_str::<Record>(&payload).ok());
    Ok(record.map_or_else(Vec::new, |record| record.jobs.values().filter_map(serde_json::Value::as_i64).collect()))
}

/// The id of the workflow that has this job; `None` if there is none, or its record is pruned. Reads only.
///
/// A record is written after its jobs in their transaction, so the greatest ids of the records rise with their offsets, and a
/// binary search finds the one that can have the job. A workflow whose last job is an existing one with the same unique key
/// breaks the order; then the search may miss a workflow.
///
/// # Errors
/// Whatever SQLite reports.
pub fn workflow_of(ctx: &Ctx<'_>, job_id: i64) -> Result<Option<i64>> {
    let offset = |row: &Row<'_>| row.get::<_, i64>(0);
    let Some(mut low) = ctx.row(sql!("workflow_from.sql"), params![TOPIC, 0], offset)? else { return Ok(None) };
    let last = ctx.row(sql!("workflows.sql"), params![TOPIC, i64::MAX], offset)?.unwrap_or(low);
    let mut high = last.saturating_add(1);
    let mut look = Look::begin();
    while low < high && !look.is_over() {
        let middle = low + (high - low) / 2;
        match record_from(ctx, middle, high, &mut look)? {
            Some((id, ids)) if ids.contains(&job_id) => return Ok(Some(id)),
            Some((id, ids)) if ids.iter().max() < Some(&job_id) => low = id + 1,
            None | Some(_) => high = middle,
        }
    }
    Ok(None)
}

/// The first record with an offset from `first` on and below `end`: its offset, and the ids of its jobs.
fn record_from(ctx: &Ctx<'_>, first: i64, end: i64, look: &mut Look) -> Result<Option<(i64, Vec<i64>)>> {
    let mut statement = ctx.prepare(sql!("workflow_from.sql"))?;
    let mut rows = statement.cursor(params![TOPIC, first])?;
    while let Some(row) = rows.next()?
        && !look.is_over()
    {
        look.count();
        let offset = row.get(0)?;
        if offset >= end {
            break;
        }
        // Something else that was published under the topic is passed over.
        if let Ok(record) = serde_json::from_str::<Record>(row.get_ref(1)?.as_str().unwrap_or_default()) {
            return Ok(Some((offset, record.jobs.values().filter_map(serde_json::Value::as_i64).collect())));
        }
    }
    Ok(None)
}

fn workflow(ctx: &Ctx<'_>, id: i64, created_at: Option<Instant>, record: &Record, look: &mut Look) -> Result<Workflow> {
    let (mut states, mut jobs) = (BTreeMap::new(), Vec::new());
    let mut members: Vec<(i64, &String)> =
        record.jobs.iter().filter_map(|(name, job_id)| Some((job_id.as_i64()?, name))).collect();
    // Parents have smaller ids than their children.
    members.sort_unstable();
    for (job_id, name) in members.into_iter().take(WORKFLOW_JOBS_SHOWN) {
        look.count();
        let state = ctx.row(sql!("state.sql"), params![job_id, ctx.now()], |row| {
            Ok(row.get_ref(0)?.as_str().unwrap_or_default().to_owned())
        })?;
        let state = state.unwrap_or_else(|| "done".to_owned());
        *states.entry(state.clone()).or_default() += 1;
        jobs.push(Member { name: name.clone(), job_id, state });
    }
    Ok(Workflow { id, name: record.name.clone(), created_at, count: record.jobs.len(), states, jobs })
}
