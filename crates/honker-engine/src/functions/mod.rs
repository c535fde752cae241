//! The table of every SQL function. The contract of each is in `reference.yaml`.

mod bulk;
mod clock;
mod connections;
mod counters;
mod flow;
mod flow_options;
mod inspect;
mod jobs;
mod json;
mod limits;
mod locks;
mod notifications;
mod options;
mod pauses;
mod queues;
mod results;
mod retention;
mod schedules;
mod schema;
mod settings;
mod streams;
mod watchers;
mod work;
mod workers;

use std::ffi::c_int;

use honker_domain::clock::{Instant, Span};
use honker_domain::{Ctx, Result};
use rusqlite::types::Value;
use serde::Serialize;

use crate::arguments::Arguments;

/// A SQL function: one row of the table.
pub struct Function {
    pub name: &'static str,
    pub arities: &'static [c_int],
    pub effect: Effect,
    pub call: fn(&Ctx<'_>, &Arguments<'_>) -> Result<Output>,
}

/// The effect of a function on the database, which decides if it needs a bracket.
#[derive(Clone, Copy)]
pub enum Effect {
    /// Nothing, or it brackets for itself.
    Read,
    /// One statement that writes: SQLite makes it atomic.
    Statement,
    /// Several statements: the bracket makes them atomic.
    Transition,
    /// An effect outside the database, or on the connection. Not to be called from triggers and views: the author of a
    /// database file must not be able to start threads in the program that opens it.
    Outside,
}

/// The result of a function.
pub enum Output {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

impl Output {
    /// Compact JSON.
    fn json(value: &impl Serialize) -> Self {
        // Our types hold only strings, numbers and options, which always serialise.
        serde_json::to_string(value).map_or(Self::Null, Self::Text)
    }

    /// An instant; 0 for none.
    fn instant_or_zero(instant: Option<Instant>) -> Self {
        instant.map_or(Self::Integer(0), Self::from)
    }
}

impl From<bool> for Output {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl From<i64> for Output {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<usize> for Output {
    fn from(value: usize) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<Instant> for Output {
    fn from(instant: Instant) -> Self {
        match instant.to_value() {
            Value::Real(seconds) => Self::Real(seconds),
            _ => Self::Integer(instant.second()),
        }
    }
}

impl From<Option<Instant>> for Output {
    fn from(value: Option<Instant>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}

impl From<Span> for Output {
    fn from(span: Span) -> Self {
        Self::from(Instant::from_ms(span.as_ms()))
    }
}

impl From<Option<i64>> for Output {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Self::Null, Self::Integer)
    }
}

impl From<Option<String>> for Output {
    fn from(value: Option<String>) -> Self {
        value.map_or(Self::Null, Self::Text)
    }
}

/// Every SQL function.
pub fn all() -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.iter()
}

/// The functions of [`crate::testing`].
pub fn testing() -> impl Iterator<Item = &'static Function> {
    TESTING.iter()
}

static TESTING: &[Function] = &[row("honker_clock_set", &[1], Effect::Outside, clock::set)];

const fn row(
    name: &'static str,
    arities: &'static [c_int],
    effect: Effect,
    call: fn(&Ctx<'_>, &Arguments<'_>) -> Result<Output>,
) -> Function {
    Function { name, arities, effect, call }
}

#[rustfmt::skip]
static FUNCTIONS: &[Function] = {
    use Effect::{Outside, Read, Statement, Transition};
    &[
        row("honker_bootstrap",            &[0],       Read,       schema::bootstrap),
        row("honker_busy_timeout",         &[1],       Outside,    connections::busy_timeout),
        row("honker_carry",                &[0],       Outside,    connections::carry),
        row("honker_clock",                &[0],       Read,       clock::now),
        row("honker_test_clock_get",       &[0],       Read,       clock::get_of_file),
        row("honker_test_clock_run",       &[1],       Transition, clock::run_of_file),
        row("honker_test_clock_stop",      &[1],       Transition, clock::stop_of_file),
        row("honker_test_clock_advance",   &[1],       Transition, clock::advance_of_file),
        row("honker_database_file",        &[0],       Read,       connections::database_file),
        row("honker_file_share",           &[1],       Transition, schema::file_share),
        row("honker_file_configure",       &[1],       Transition, counters::configure),
        row("honker_file_settings",        &[0],       Read,       counters::settings),
        row("honker_file_is_shared",       &[0],       Read,       schema::file_is_shared),
        row("honker_hazards",              &[0],       Read,       schema::hazards),
        row("honker_has_additions",        &[0],       Read,       schema::has_additions),
        row("honker_limits",               &[0],       Read,       limits::limits),
        row("honker_malformed_rows",       &[1],       Read,       schema::malformed_rows),

        row("honker_enqueue",              &[3, 7],      Statement,  queues::enqueue),
        row("honker_enqueue_many",         &[7, 8],    Transition, bulk::enqueue_many),
        row("honker_enqueue_unique",       &[3],       Transition, queues::enqueue_unique),
        row("honker_claim_batch",          &[4, 5],    Read,       queues::claim_batch),
        row("honker_queue_next_claim_at",  &[1],       Read,       queues::next_claim_at),
        row("honker_queue_stats",          &[1, 2],    Read,       queues::stats),
        row("honker_queue_list",           &[2, 3],    Read,       queues::list),
        row("honker_queue_pause",          &[1, 2, 3], Transition, pauses::pause),
        row("honker_queue_resume",         &[1],       Statement,  pauses::resume),
        row("honker_key_pause",            &[2, 3, 4], Transition, pauses::pause_key),
        row("honker_key_resume",           &[2],       Transition, pauses::resume_key),
        row("honker_queue_configure",      &[2, 3],    Transition, settings::configure),
        row("honker_queue_settings",       &[1],       Read,       settings::settings),
        row("honker_ack",                  &[2, 3],    Statement,  queues::ack),
        row("honker_ack_batch",            &[2, 3],    Transition, queues::ack_batch),
        row("honker_retry",                &[4, 5],    Transition, queues::retry),
        row("honker_fail",                 &[3, 4],    Transition, queues::fail),
        row("honker_heartbeat",            &[3, 4],    Statement,  queues::heartbeat),
        row("honker_heartbeat_batch",      &[3],       Transition, work::heartbeat_batch),
        row("honker_release",              &[2, 3, 5], Statement,  work::release),
        row("honker_snooze",               &[3, 4],    Transition, jobs::snooze),
        row("honker_work",                 &[5, 6],    Read,       work::work),
        row("honker_job_outcome",          &[1],       Read,       work::job_outcome),
        row("honker_job_parents",          &[1],       Read,       flow::job_parents),
        row("honker_cancel",               &[1, 2],    Transition, queues::cancel),
        row("honker_cancel_request",       &[1, 2],    Transition, jobs::cancel_request),
        row("honker_cancel_held",          &[2, 3],    Transition, jobs::cancel_held),
        row("honker_cancel_requests",      &[2],       Read,       jobs::cancel_requests),
        row("honker_progress",             &[3, 4, 5, 6], Transition, jobs::progress),
        row("honker_progress_get",         &[1],       Read,       jobs::progress_get),
        row("honker_job_attempts",         &[1],       Read,       jobs::job_attempts),
        row("honker_finished_list",        &[3],       Read,       jobs::finished_list),
        row("honker_requeue",              &[1, 2],    Transition, queues::requeue),
        row("honker_dead_prune",           &[3],       Transition, retention::dead_prune),
        row("honker_get_job",              &[1, 2],    Read,       queues::get_job),
        row("honker_sweep_expired",        &[1],       Transition, queues::sweep_expired),
        row("honker_flow_violations",      &[1],       Read,       flow::violations),

        row("honker_jobs_list",            &[3],       Read,       inspect::jobs_list),
        row("honker_jobs_apply",           &[4],       Read,       inspect::jobs_apply),
        row("honker_job_detail",           &[1],       Read,       inspect::job_detail),
        row("honker_dead_groups",          &[3],       Read,       inspect::dead_groups),
        row("honker_stream_list",          &[2],       Read,       inspect::stream_list),
        row("honker_lock_list",            &[2],       Read,       inspect::lock_list),
        row("honker_workflow_list",        &[2],       Read,       inspect::workflow_list),

        row("honker_lock_acquire",         &[3],       Transition, locks::acquire),
        row("honker_lock_release",         &[2],       Statement,  locks::release),
        row("honker_lock_renew",           &[3],       Statement,  locks::renew),
        row("honker_lock_token",           &[2],       Read,       locks::token),
        row("honker_lock_expires_at",      &[1],       Read,       locks::expires_at),
        row("honker_rate_limit_try",       &[3],       Transition, locks::rate_limit_try),
        row("honker_rate_limit_sweep",     &[1],       Statement,  locks::rate_limit_sweep),
        row("honker_token_bucket_take",    &[4],       Transition, locks::token_bucket_take),

        row("honker_result_save",          &[3],       Transition, results::save),
        row("honker_result_get",           &[1],       Read,       results::get),
        row("honker_result_sweep",         &[0],       Statement,  results::sweep),

        row("notify",                      &[2],       Transition, notifications::notify),
        row("honker_notification_read_since", &[3],    Read,       notifications::read_since),
        row("honker_notification_last_id", &[1],       Read,       notifications::last_id),
        row("honker_notification_prune",   &[2],       Statement,  notifications::prune),
        row("honker_stream_publish",       &[3],       Statement,  streams::publish),
        row("honker_stream_publish_many",  &[2],       Transition, streams::publish_many),
        row("honker_stream_offset_at",     &[1],       Read,       streams::offset_at),
        row("honker_stream_read_since",    &[3],       Read,       streams::read_since),
        row("honker_stream_save_offset",   &[3],       Statement,  streams::save_offset),
        row("honker_stream_get_offset",    &[2],       Read,       streams::get_offset),

        row("honker_stream_prune",         &[3],       Statement,  retention::stream_prune),

        row("honker_retention_set",        &[4],       Statement,  retention::set),
        row("honker_retention_list",       &[0],       Read,       retention::list),

        row("honker_scheduler_register",   &[6, 7, 9, 11], Transition, schedules::register),
        row("honker_scheduler_unregister", &[1],       Statement,  schedules::unregister),
        row("honker_scheduler_tick",       &[1],       Transition, schedules::tick),
        row("honker_scheduler_soonest",    &[0],       Read,       schedules::soonest),
        row("honker_scheduler_pause",      &[1],       Statement,  schedules::pause),
        row("honker_scheduler_resume",     &[1],       Statement,  schedules::resume),
        row("honker_scheduler_list",       &[0],       Read,       schedules::list),
        row("honker_scheduler_update",     &[6, 8, 10, 12], Transition, schedules::update),
        row("honker_cron_next_after",      &[2, 3],    Read,       schedules::next_after),

        row("honker_counter_minutes",      &[2],       Read,       counters::minutes),
        row("honker_counter_totals",       &[3],       Read,       counters::totals),

        row("honker_worker_report",        &[1],       Transition, workers::report),
        row("honker_worker_leave",         &[1],       Statement,  workers::leave),
        row("honker_worker_list",          &[2],       Read,       workers::list),

        row("honker_update_watcher_open",  &[2, 3, 4], Outside,    watchers::open),
        row("honker_update_watcher_wait",  &[2],       Outside,    watchers::wait),
        row("honker_update_watcher_fd",    &[1],       Outside,    watchers::descriptor),
        row("honker_update_watcher_stats", &[1],       Outside,    watchers::stats),
        row("honker_update_watcher_close", &[1],       Outside,    watchers::close),
    ]
};
