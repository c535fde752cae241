//! The conditions under which a job is listed.

use std::collections::HashSet;

use rusqlite::types::{ToSql, ToSqlOutput, Value};
use serde_json::{Value as Json, json};

use crate::clock::Instant;
use crate::{Error, Result};

/// A state as people see it: the pending jobs are told apart by their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Pending and due.
    Ready,
    /// Pending, with a time to come.
    Delayed,
    /// Leased, a lapsed lease included.
    Running,
    /// Waits for others of its key.
    Blocked,
    /// Waits for its parents.
    Waiting,
    /// A dead letter.
    Dead,
    /// Succeeded, in a queue that keeps finished jobs.
    Done,
    /// Cancelled, in a queue that keeps finished jobs.
    Cancelled,
}

impl Shown {
    /// Every state with its name.
    pub const ALL: [(&'static str, Self); 8] = [
        ("ready", Self::Ready),
        ("delayed", Self::Delayed),
        ("running", Self::Running),
        ("blocked", Self::Blocked),
        ("waiting", Self::Waiting),
        ("dead", Self::Dead),
        ("done", Self::Done),
        ("cancelled", Self::Cancelled),
    ];

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, state)| *state == self).map_or("", |(name, _)| name)
    }

    /// The table that holds jobs in this state.
    pub(super) const fn table(self) -> Table {
        match self {
            Self::Dead => Table::Dead,
            Self::Done | Self::Cancelled => Table::Finished,
            _ => Table::Live,
        }
    }
}

/// A table of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Live,
    Dead,
    Finished,
}

impl Table {
    pub(super) const ALL: [Self; 3] = [Self::Live, Self::Dead, Self::Finished];
}

/// A condition on the arguments of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Args {
    /// The payload contains this text.
    Contain(String),
    /// Arguments by path have these values: a JSON array of triples, see `look_live.sql`.
    Equal(String),
}

impl Args {
    /// An object gives values by path, `{"user.id": 5}`: an argument by keyword, or by position as in `{"0": 5}`, of a task's call;
    /// a member of any other payload. Anything else is a text that the payload contains.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a path with a quotation mark.
    pub fn of(given: &Json) -> Result<Self> {
        let triples = match given {
            Json::Object(paths) => paths.iter().map(|(path, value)| triple(path, value)).collect::<Result<Vec<_>>>()?,
            Json::String(text) => return Ok(Self::Contain(text.clone())),
            other => return Ok(Self::Contain(other.to_string())),
        };
        Ok(Self::Equal(Json::Array(triples).to_string()))
    }
}

/// The path in a task's call, the path in another payload, and the value.
fn triple(path: &str, value: &Json) -> Result<Json> {
    if path.contains(['"', '\\', '\0']) {
        return Err(Error::invalid("args", format!("has the path {path:?}; quotation marks are not allowed")));
    }
    let is_position = |part: &str| !part.is_empty() && part.len() < 9 && part.bytes().all(|byte| byte.is_ascii_digit());
    let steps = |parts: &mut dyn Iterator<Item = &str>| {
        parts
            .map(|part| if is_position(part) { format!("[{part}]") } else { format!(".\"{part}\"") })
            .collect::<String>()
    };
    let first = path.split('.').next().unwrap_or_default();
    let root = if is_position(first) { "args" } else { "kwargs" };
    let steps = steps(&mut path.split('.'));
    Ok(json!([format!("$.__honker_task__.{root}{steps}"), format!("${steps}"), value]))
}

/// Conditions; `None` means any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The state.
    pub state: Option<Shown>,
    /// The queue.
    pub queue: Option<String>,
    /// The task that a payload calls.
    pub task: Option<String>,
    /// The key.
    pub key: Option<String>,
    /// A text that the last error contains.
    pub error: Option<String>,
    /// These jobs only.
    pub ids: Option<Vec<i64>>,
    /// These jobs only: those of a workflow.
    pub members: Option<Vec<i64>>,
    /// The arguments.
    pub args: Option<Args>,
    /// Enqueued then or later.
    pub since: Option<Instant>,
}

impl Filter {
    /// The only jobs that can match; `None` if the filter names none.
    pub(super) fn named(&self) -> Option<Vec<i64>> {
        match (&self.ids, &self.members) {
            (Some(ids), Some(members)) => {
                let members: HashSet<&i64> = members.iter().collect();
                Some(ids.iter().filter(|id| members.contains(id)).copied().collect())
            }
            (named, members) => named.clone().or_else(|| members.clone()),
        }
    }

    /// True if each job matches whose id the indexes of a table give, see `candidates.rs`.
    pub(super) const fn is_decided_by_index(&self, table: Table) -> bool {
        let is_key_left = self.key.is_some() && (self.queue.is_none() || self.state.is_some());
        let is_other_left =
            self.task.is_some() || self.error.is_some() || self.args.is_some() || self.since.is_some() || is_key_left;
        match table {
            Table::Live => !is_other_left,
            // Their indexes have no key.
            Table::Dead => !is_other_left && self.key.is_none(),
            Table::Finished => !is_other_left && self.key.is_none() && self.state.is_none(),
        }
    }

    pub(super) fn tables(&self) -> Vec<Table> {
        self.state.map_or_else(|| Table::ALL.to_vec(), |state| vec![state.table()])
    }

    /// The parameters of `look_live.sql` and its neighbours.
    pub(super) fn parameters(&self, least: i64, greatest: i64, now: Instant) -> [Value; 11] {
        let text = |text: Option<&str>| text.map_or(Value::Null, |text| Value::Text(text.to_owned()));
        let (part, equal) = match &self.args {
            Some(Args::Contain(part)) => (Some(part.as_str()), None),
            Some(Args::Equal(triples)) => (None, Some(triples.as_str())),
            None => (None, None),
        };
        [
            Value::Integer(least),
            Value::Integer(greatest),
            text(self.queue.as_deref()),
            text(self.state.map(Shown::name)),
            now.to_value(),
            text(self.key.as_deref()),
            self.since.map_or(Value::Null, Instant::to_value),
            text(self.error.as_deref()),
            text(self.task.as_deref()),
            text(part),
            text(equal),
        ]
    }
}

/// The ends of a range of queues, for `BETWEEN`: one queue, or all that are texts. An empty blob sorts after every text.
pub(super) enum Range<'a> {
    One(&'a str),
    All,
}

impl<'a> Range<'a> {
    pub(super) const fn of(queue: Option<&'a str>) -> Self {
        match queue {
            Some(queue) => Self::One(queue),
            None => Self::All,
        }
    }

    pub(super) const fn ends(&self) -> (End<'a>, End<'a>) {
        match self {
            Self::One(queue) => (End::Text(queue), End::Text(queue)),
            Self::All => (End::Text(""), End::AfterTexts),
        }
    }
}

/// An end of such a range.
pub(super) enum End<'a> {
    Text(&'a str),
    AfterTexts,
}

impl ToSql for End<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Text(text) => ToSqlOutput::from(*text),
            Self::AfterTexts => ToSqlOutput::from(&b""[..]),
        })
    }
}
