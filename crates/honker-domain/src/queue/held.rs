//! A claim that is held.

/// A claim that its holder settles.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// The job's id.
    pub id: i64,
    /// The worker that claimed it.
    pub worker_id: &'a str,
    /// The attempt that was claimed; `None` trusts the worker's name alone.
    pub attempt: Option<i64>,
    /// Seconds that its handler ran, for the history; `None` if that is not known.
    pub run_s: Option<f64>,
    /// The task that it calls, for the record of moves; `None` if the holder does not say.
    pub task: Option<&'a str>,
}
