//! Values as the protocol has them.

use honker::{Job, JobRow, Notification, ScheduleRow, StreamEvent};
use serde_json::{Value, json};

use honker::rusqlite::types::ValueRef;

fn payload(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("the payload is JSON")
}

pub fn job(job: &Job) -> Value {
    json!({"id": job.id, "queue": job.queue, "payload": payload(&job.payload), "worker_id": job.worker_id,
        "attempts": job.attempts})
}

pub fn job_row(row: &JobRow) -> Value {
    json!({"id": row.id, "queue": row.queue, "state": row.state, "priority": row.priority, "attempts": row.attempts,
        "max_attempts": row.max_attempts})
}

pub fn event(event: &StreamEvent) -> Value {
    json!({"offset": event.offset, "topic": event.topic, "key": event.key, "payload": payload(&event.payload),
        "created_at": event.created_at})
}

pub fn notification(notification: &Notification) -> Value {
    let payload = payload(notification.payload.as_bytes());
    json!({"id": notification.id, "channel": notification.channel, "payload": payload})
}

pub fn schedule(row: &ScheduleRow) -> Value {
    json!({"name": row.name, "queue": row.queue, "cron_expr": row.cron_expr, "enabled": row.enabled})
}

pub fn cell(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => json!({"type": "null", "value": null}),
        ValueRef::Integer(integer) => json!({"type": "integer", "value": integer}),
        ValueRef::Real(real) => json!({"type": "real", "value": real}),
        ValueRef::Text(text) => json!({"type": "text", "value": String::from_utf8_lossy(text)}),
        ValueRef::Blob(blob) => {
            let hex = blob.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
            json!({"type": "blob", "value": hex})
        }
    }
}
