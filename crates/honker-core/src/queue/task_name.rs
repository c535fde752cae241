//! The task that a payload calls, for those who count and list jobs.

use crate::limits::NAME_MAX_BYTES;

/// The keys of a payload that calls a task, and of one whose arguments a codec wrote: those of the Python package.
const CALLS: [&str; 2] = ["{\"__honker_task__\":", "{\"__honker_encoded_task__\":"];

/// The task that a payload calls; `None` for a payload that is no call of a task. Reads no further than the name, which comes
/// first.
#[must_use]
pub fn task_of(payload: &str) -> Option<String> {
    let call = CALLS.iter().find_map(|key| payload.strip_prefix(key))?;
    let name = call.trim_start().strip_prefix("{\"task\":")?;
    let mut texts = serde_json::Deserializer::from_str(name).into_iter::<String>();
    texts.next()?.ok().filter(|name| !name.is_empty() && name.len() <= NAME_MAX_BYTES)
}
