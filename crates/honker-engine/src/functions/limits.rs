//! The limits of the engine, for packages that check arguments before a call.

use honker_domain::limits::{
    CLAIM_BATCH, CLAIM_MAX_BYTES, CONCURRENCY, COUNT_LIMIT, COUNT_LIMIT_DEFAULT, ENQUEUE_BATCH, EXPRESSION_MAX_BYTES,
    INSTANT_S, LEASE_MAX_S, LIST_BATCH, MAX_ATTEMPTS, MAX_ATTEMPTS_DEFAULT, MAX_KEEP, NAME_MAX_BYTES, PRIORITY,
    RATE_LIMIT, READ_MAX_BYTES, SETTLE_BATCH, SPAN_MAX_S, TEXT_MAX_BYTES, TOKENS_MAX,
};
use honker_domain::{Ctx, Result};
use serde_json::{Value, json};

use super::Output;
use super::connections::BUSY_TIMEOUT_MS;
use super::watchers::WAIT_MAX_MS;
use crate::arguments::Arguments;

#[expect(clippy::unnecessary_wraps, reason = "the type of every function of the table")]
pub fn limits(_ctx: &Ctx<'_>, _arguments: &Arguments<'_>) -> Result<Output> {
    Ok(Output::json(&all()))
}

/// Ranges are pairs of the least and the greatest value. The unit is at the end of each name.
fn all() -> Value {
    let range = |range: &std::ops::RangeInclusive<i64>| json!([range.start(), range.end()]);
    json!({
        "busy_timeout_ms": range(&BUSY_TIMEOUT_MS),
        "claim_batch": range(&CLAIM_BATCH),
        "claim_max_bytes": CLAIM_MAX_BYTES,
        "concurrency": range(&CONCURRENCY),
        "count_limit": range(&COUNT_LIMIT),
        "count_limit_default": COUNT_LIMIT_DEFAULT,
        "enqueue_batch_max": ENQUEUE_BATCH,
        "expression_max_bytes": EXPRESSION_MAX_BYTES,
        "instant_s": range(&INSTANT_S),
        "lease_max_s": LEASE_MAX_S,
        "list_batch": range(&LIST_BATCH),
        "max_attempts": range(&MAX_ATTEMPTS),
        "max_attempts_default": MAX_ATTEMPTS_DEFAULT,
        "max_keep": range(&MAX_KEEP),
        "name_max_bytes": NAME_MAX_BYTES,
        "priority": range(&PRIORITY),
        "rate_limit": range(&RATE_LIMIT),
        "read_max_bytes": READ_MAX_BYTES,
        "settle_batch_max": SETTLE_BATCH,
        "span_max_s": SPAN_MAX_S,
        "text_max_bytes": TEXT_MAX_BYTES,
        "tokens_max": TOKENS_MAX,
        "wait_max_ms": WAIT_MAX_MS,
    })
}
