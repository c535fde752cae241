//! The task that a payload calls, for counters, events and lists of jobs.

use crate::limits::NAME_MAX_BYTES;

/// The keys of a payload that calls a task, and of one whose arguments a codec wrote: those of the Python package.
const CALLS: [&str; 2] = ["__honker_task__", "__honker_encoded_task__"];

/// The task that a payload calls, or the beginning of a payload; `None` for one that is no call of a task.
///
/// The writers of calls put the name first, and then nothing behind it is read.
#[must_use]
pub fn task_of(payload: &str) -> Option<String> {
    let text = payload.trim_start().strip_prefix('{')?.trim_start().strip_prefix('"')?;
    let (key, call) = CALLS.iter().find_map(|key| Some((*key, text.strip_prefix(key)?.strip_prefix('"')?)))?;
    let call = call.trim_start().strip_prefix(':')?.trim_start().strip_prefix('{')?.trim_start();
    let name = if let Some(name) = call.strip_prefix("\"task\"") {
        let name = name.trim_start().strip_prefix(':')?;
        serde_json::Deserializer::from_str(name).into_iter::<String>().next()?.ok()
    } else {
        let whole: serde_json::Value = serde_json::from_str(payload).ok()?;
        whole[key]["task"].as_str().map(str::to_owned)
    };
    name.filter(|name| !name.is_empty() && name.len() <= NAME_MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::task_of;

    #[test]
    fn the_task_is_found_in_the_beginning_of_a_call() {
        for (payload, task) in [
            (r#"{"__honker_task__": {"task": "a.b", "args": [1, 2"#, Some("a.b")),
            (r#"{"__honker_task__":{"task":"\u00e9","args":[]}}"#, Some("\u{e9}")),
            (r#"{"__honker_task__":{"args":[],"task":"late"}}"#, Some("late")),
            (r#"{"__honker_encoded_task__":{"task":"a","codec":"signed","body":"x"#, Some("a")),
            (r#" { "__honker_encoded_task__" : {"codec":"signed","task" : "late"}}"#, Some("late")),
            (r#"{"__honker_task__":{"args":[1,2,3"#, None),
            (r#"{"__honker_task__":{"task":""}}"#, None),
            (r#"{"__honker_task__x":{"task":"a"}}"#, None),
            (r#"{"task": "a"}"#, None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(task_of(payload).as_deref(), task, "{payload}");
        }
    }
}
