//! The options of a job that relate it to other jobs.

use honker_domain::clock::Span;
use honker_domain::limits::{KEEP_MAX_S, NAME_MAX_BYTES, PARENTS_MAX};
use honker_domain::queue::{Flow, OnConflict, ParentFailure, Unique};
use honker_domain::{Error, Result};
use serde_json::Value as Json;

use super::options::Options;

/// Their names.
pub const FLOW_OPTIONS: [&str; 9] = [
    "key",
    "unique_key",
    "on_conflict",
    "unique_until",
    "unique_for_s",
    "debounce_s",
    "debounce_max_s",
    "after",
    "on_parent_failure",
];

const CONFLICTS: [(&str, OnConflict); 4] = [
    ("existing", OnConflict::Existing),
    ("replace", OnConflict::Replace),
    ("rerun", OnConflict::Rerun),
    ("raise", OnConflict::Raise),
];
const FAILURES: [(&str, ParentFailure); 3] =
    [("cancel", ParentFailure::Cancel), ("run", ParentFailure::Run), ("wait", ParentFailure::Wait)];
const UNTIL: [(&str, bool); 2] = [("finished", false), ("started", true)];

/// The options, checked.
pub struct FlowOptions {
    key: Option<String>,
    unique: Option<Uniqueness>,
    after: Vec<i64>,
    on_parent_failure: ParentFailure,
}

struct Uniqueness {
    key: String,
    on_conflict: OnConflict,
    until_started: bool,
    unique_for: Option<Span>,
    debounce: Option<Span>,
    debounce_max: Option<Span>,
}

impl FlowOptions {
    /// The options of a job; `None` if it has none of these.
    pub fn parse(options: &Options) -> Result<Option<Self>> {
        if FLOW_OPTIONS.iter().all(|name| options.get(name).is_none()) {
            return Ok(None);
        }
        let after = parents(options)?;
        let on_parent_failure = choice(options, "on_parent_failure", &FAILURES)?;
        if on_parent_failure.is_some() && after.is_empty() {
            return Err(Error::invalid("on_parent_failure", "is given without after; name the parents in after"));
        }
        let unique = Uniqueness::parse(options)?;
        if !after.is_empty() && unique.as_ref().is_some_and(|unique| unique.on_conflict == OnConflict::Replace) {
            let problem = "is given with on_conflict \"replace\" or with debounce_s, and a replaced job keeps its own parents; \
                           leave it out";
            return Err(Error::invalid("after", problem));
        }
        Ok(Some(Self {
            key: name(options, "key")?,
            unique,
            after,
            on_parent_failure: on_parent_failure.unwrap_or_default(),
        }))
    }

    /// True if a unique key is given.
    pub const fn is_unique(&self) -> bool {
        self.unique.is_some()
    }

    /// The options as the engine takes them.
    pub fn flow(&self) -> Flow<'_> {
        Flow {
            key: self.key.as_deref(),
            unique: self.unique.as_ref().map(|unique| Unique {
                key: &unique.key,
                on_conflict: unique.on_conflict,
                until_started: unique.until_started,
                unique_for: unique.unique_for,
                debounce: unique.debounce,
                debounce_max: unique.debounce_max,
            }),
            after: &self.after,
            on_parent_failure: self.on_parent_failure,
        }
    }
}

impl Uniqueness {
    fn parse(options: &Options) -> Result<Option<Self>> {
        const DEPENDENT: [&str; 5] = ["on_conflict", "unique_until", "unique_for_s", "debounce_s", "debounce_max_s"];
        let Some(key) = name(options, "unique_key")? else {
            return match DEPENDENT.into_iter().find(|name| options.get(name).is_some()) {
                Some(name) => Err(Error::invalid(name, "is given without unique_key; give a unique_key")),
                None => Ok(None),
            };
        };
        let debounce = span(options, "debounce_s")?;
        let debounce_max = span(options, "debounce_max_s")?;
        if debounce_max.is_some() && debounce.is_none() {
            return Err(Error::invalid("debounce_max_s", "is given without debounce_s; give a debounce_s"));
        }
        let on_conflict = choice(options, "on_conflict", &CONFLICTS)?;
        if debounce.is_some() && !matches!(on_conflict, None | Some(OnConflict::Replace)) {
            return Err(Error::invalid("on_conflict", "is given with debounce_s, which replaces; leave it out"));
        }
        let default = if debounce.is_some() { OnConflict::Replace } else { OnConflict::Existing };
        let until_started = choice(options, "unique_until", &UNTIL)?.unwrap_or(false);
        let unique_for = span(options, "unique_for_s")?;
        if until_started && unique_for.is_some() {
            return Err(Error::invalid("unique_for_s", "is given with unique_until \"started\"; choose one of them"));
        }
        if debounce.is_some() && unique_for.is_some() {
            return Err(Error::invalid(
                "unique_for_s",
                "is given with debounce_s, which loses no event; choose one of them",
            ));
        }
        let on_conflict = on_conflict.unwrap_or(default);
        Ok(Some(Self { key, on_conflict, until_started, unique_for, debounce, debounce_max }))
    }
}

/// An option that is a name.
pub fn name(options: &Options, option: &'static str) -> Result<Option<String>> {
    let Some(value) = options.get(option) else { return Ok(None) };
    let Some(text) = value.as_str() else {
        return Err(Error::invalid(option, format!("is {value}; it must be a text")));
    };
    if text.is_empty() || text.len() > NAME_MAX_BYTES || text.contains('\0') {
        let problem = format!("has {} bytes; 1 to {NAME_MAX_BYTES} are allowed, without NUL", text.len());
        return Err(Error::invalid(option, problem));
    }
    Ok(Some(text.to_owned()))
}

/// An option that is one of a closed list.
pub fn choice<T: Copy>(options: &Options, option: &'static str, choices: &[(&str, T)]) -> Result<Option<T>> {
    let Some(value) = options.get(option) else { return Ok(None) };
    let found = choices.iter().find(|(name, _)| value.as_str() == Some(name));
    found.map(|(_, choice)| Some(*choice)).ok_or_else(|| {
        let names = choices.iter().map(|(name, _)| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        Error::invalid(option, format!("is {value}; it must be one of {names}"))
    })
}

#[expect(clippy::cast_precision_loss, reason = "the end of the range is far below 2^53")]
fn span(options: &Options, option: &'static str) -> Result<Option<Span>> {
    let Some(value) = options.get(option) else { return Ok(None) };
    match value.as_f64() {
        Some(seconds) if seconds > 0.0 && seconds <= KEEP_MAX_S as f64 => {
            Ok(Some(Span::from_fractional_seconds(seconds)))
        }
        _ => Err(Error::invalid(option, format!("is {value}; more than 0 and up to {KEEP_MAX_S} seconds are allowed"))),
    }
}

fn parents(options: &Options) -> Result<Vec<i64>> {
    let Some(value) = options.get("after") else { return Ok(Vec::new()) };
    let wrong = || Error::invalid("after", "must be a JSON array of job ids");
    let Json::Array(values) = value else { return Err(wrong()) };
    if values.len() > PARENTS_MAX {
        return Err(Error::invalid("after", format!("names {} jobs; at most {PARENTS_MAX} are allowed", values.len())));
    }
    let mut ids = Vec::with_capacity(values.len());
    let mut seen = std::collections::HashSet::with_capacity(values.len());
    for value in values {
        let id = value.as_i64().ok_or_else(wrong)?;
        if seen.insert(id) {
            ids.push(id);
        }
    }
    Ok(ids)
}
