//! The calls on objects: those that answer at once, and those that wait.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use honker::rusqlite::Connection;
use honker::{
    Database, EnqueueOpts, Job, Lock, Outbox, OutboxOpts, Queue, QueueOpts, ScheduleUpdate, ScheduledTask, Scheduler,
    Stop, Stream, Transaction,
};
use serde_json::{Value, json};

use crate::{Answer, Failure, Object, Outcome, Request, Stored, lock, values};

/// The arguments of a call.
struct Args<'a>(&'a Value);

impl<'a> Args<'a> {
    fn value(&self, name: &str) -> &'a Value {
        &self.0[name]
    }

    fn text(&self, name: &str) -> &'a str {
        self.0[name].as_str().unwrap_or_default()
    }

    fn maybe(&self, name: &str) -> Option<i64> {
        self.0[name].as_i64()
    }

    fn integer(&self, name: &str, default: i64) -> i64 {
        self.maybe(name).unwrap_or(default)
    }

    fn enqueue_opts(&self) -> EnqueueOpts {
        EnqueueOpts {
            delay: self.maybe("delay"),
            run_at: self.maybe("run_at"),
            priority: self.integer("priority", 0),
            expires: self.maybe("expires"),
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the type of every call")]
fn value(value: impl Into<Value>) -> Outcome {
    Ok(Answer::Value(value.into()))
}

fn list<T>(items: &[T], each: impl Fn(&T) -> Value) -> Outcome {
    value(items.iter().map(each).collect::<Vec<_>>())
}

fn unsupported(call: &str) -> Outcome {
    Err(Failure::new("UNSUPPORTED", call))
}

/// A call that answers at once.
pub fn direct(stored: &Stored, request: &Request, tx: Option<&Transaction<'_>>) -> Outcome {
    let on = request.on.as_deref().unwrap_or_default();
    let args = Args(&request.args);
    let call = request.call.as_str();
    match stored.get(on)? {
        Object::Database(db) => on_database(&db, call, &args, tx),
        Object::Queue(queue) => on_queue(&queue, call, &args, tx),
        Object::Job(job) => on_job(&job, call, &args),
        Object::Lock(held) => on_lock(&held, call, &args),
        Object::Stream(stream) => on_stream(&stream, call, &args, tx),
        Object::Scheduler(scheduler) => on_scheduler(&scheduler, call, &args),
        Object::Outbox(outbox, delivered) => match call {
            "delivered" => value(lock(&delivered).clone()),
            "enqueue" => on_queue(outbox.queue(), call, &args, tx),
            other => unsupported(other),
        },
        Object::Events(_) | Object::Listener(_) if call == "close" => {
            stored.objects().remove(on);
            value(Value::Null)
        }
        Object::Events(_) | Object::Listener(_) => waiting(stored, request, &Stop::new()),
    }
}

fn on_database(db: &Database, call: &str, args: &Args<'_>, tx: Option<&Transaction<'_>>) -> Outcome {
    let name = args.text("name");
    match call {
        "close" => db.close(),
        "sql" => {
            let sql = args.text("sql");
            let first = match tx {
                Some(tx) => first_cell(tx.conn(), sql)?,
                None => db.try_with_conn(|conn| first_cell(conn, sql))??,
            };
            return value(first);
        }
        "queue" => {
            let visibility_timeout_s = args.integer("visibility_timeout_s", 300);
            let opts = QueueOpts { visibility_timeout_s, max_attempts: args.integer("max_attempts", 3) };
            return Ok(Answer::Object(Object::Queue(db.queue(name, opts)), json!(true)));
        }
        "stream" => return Ok(Answer::Object(Object::Stream(db.stream(name)), json!(true))),
        "scheduler" => return Ok(Answer::Object(Object::Scheduler(db.scheduler()), json!(true))),
        "outbox" => {
            let defaults = OutboxOpts::default();
            let max_attempts = args.integer("max_attempts", defaults.max_attempts);
            let base_backoff_s = args.integer("base_backoff_s", defaults.base_backoff_s);
            let outbox = db.outbox(name, OutboxOpts { max_attempts, base_backoff_s, ..defaults });
            return Ok(Answer::Object(Object::Outbox(outbox, Arc::default()), json!(true)));
        }
        "notify" => {
            let (channel, payload) = (args.text("channel"), args.value("payload"));
            return value(match tx {
                Some(tx) => db.notify_tx(tx, channel, payload)?,
                None => db.notify(channel, payload)?,
            });
        }
        "listen" => {
            let listener = Arc::new(Mutex::new(db.listen(args.text("channel"))?));
            return Ok(Answer::Object(Object::Listener(listener), json!(true)));
        }
        "try_lock" => {
            return match db.try_lock(name, args.text("owner"), args.integer("ttl_s", 60))? {
                Some(held) => Ok(Answer::Object(Object::Lock(Arc::new(Mutex::new(Some(held)))), json!(true))),
                None => value(false),
            };
        }
        "try_rate_limit" => {
            return value(db.try_rate_limit(name, args.integer("limit", 1), args.integer("per_s", 1))?);
        }
        "save_result" => db.save_result(args.integer("job_id", 0), args.text("value"), args.integer("ttl_s", 0))?,
        "get_result" => return value(db.get_result(args.integer("job_id", 0))?),
        "wait_result" => return wait_result(db, args),
        other => return unsupported(other),
    }
    value(Value::Null)
}

fn first_cell(conn: &Connection, sql: &str) -> honker::Result<Value> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    match rows.next()? {
        Some(row) => Ok(values::cell(row.get_ref(0)?)),
        None => Ok(Value::Null),
    }
}

fn wait_result(db: &Database, args: &Args<'_>) -> Outcome {
    let timeout = args.value("timeout_s").as_f64().map_or(Duration::MAX, Duration::from_secs_f64);
    match db.wait_result(args.integer("job_id", 0), timeout)? {
        Some(result) => value(result),
        None => Err(Failure::new("TIMEOUT", "there is no result in time")),
    }
}

fn on_queue(queue: &Queue, call: &str, args: &Args<'_>, tx: Option<&Transaction<'_>>) -> Outcome {
    let worker = args.text("worker");
    match call {
        "enqueue" => {
            let (payload, opts) = (args.value("payload"), args.enqueue_opts());
            value(match tx {
                Some(tx) => queue.enqueue_tx(tx, payload, opts)?,
                None => queue.enqueue(payload, opts)?,
            })
        }
        "claim_one" => Ok(one_job(queue.claim_one(worker)?)),
        "claim_batch" => Ok(Answer::Jobs(queue.claim_batch(worker, args.integer("n", 1))?)),
        "next_job" => Ok(one_job(queue.claim_waker().next(worker)?)),
        "ack_batch" => {
            let ids: Vec<i64> = args.value("ids").as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
            value(queue.ack_batch(&ids, worker)?)
        }
        "cancel_job" => value(queue.cancel(args.integer("id", 0))?),
        "get_job" => value(queue.get_job(args.integer("id", 0))?.as_ref().map(values::job_row)),
        "sweep_expired" => value(queue.sweep_expired()?),
        other => unsupported(other),
    }
}

fn one_job(job: Option<Job>) -> Answer {
    match job {
        Some(job) => {
            let shown = values::job(&job);
            Answer::Object(Object::Job(job), shown)
        }
        None => Answer::Value(Value::Null),
    }
}

fn on_job(job: &Job, call: &str, args: &Args<'_>) -> Outcome {
    value(match call {
        "ack" => job.ack()?,
        "retry" => job.retry(args.integer("delay_s", 60), args.text("error"))?,
        "fail" => job.fail(args.text("error"))?,
        "heartbeat" => job.heartbeat(args.integer("extend_s", 300))?,
        other => return unsupported(other),
    })
}

fn on_lock(held: &Mutex<Option<Lock>>, call: &str, args: &Args<'_>) -> Outcome {
    let mut held = lock(held);
    if call == "release" {
        return held.take().map_or_else(|| value(false), |held| value(held.release()?));
    }
    held.as_ref().map_or_else(|| value(false), |held| value(held.heartbeat(args.integer("ttl_s", 60))?))
}

fn on_stream(stream: &Stream, call: &str, args: &Args<'_>, tx: Option<&Transaction<'_>>) -> Outcome {
    let (consumer, offset) = (args.text("consumer"), args.integer("offset", 0));
    match call {
        "publish" => {
            let payload = args.value("payload");
            value(match (args.value("key").as_str(), tx) {
                (Some(key), Some(tx)) => stream.publish_with_key_tx(tx, key, payload)?,
                (None, Some(tx)) => stream.publish_tx(tx, payload)?,
                (Some(key), None) => stream.publish_with_key(key, payload)?,
                (None, None) => stream.publish(payload)?,
            })
        }
        "read_since" => list(&stream.read_since(offset, args.integer("limit", 1000))?, values::event),
        "read_from_consumer" => list(&stream.read_from_consumer(consumer, args.integer("limit", 1000))?, values::event),
        "save_offset" => value(match tx {
            Some(tx) => stream.save_offset_tx(tx, consumer, offset)?,
            None => stream.save_offset(consumer, offset)?,
        }),
        "get_offset" => value(stream.get_offset(consumer)?),
        "subscribe" => {
            let events = stream.subscribe(consumer)?.save_every(args.integer("save_every_n", 1000));
            Ok(Answer::Object(Object::Events(Arc::new(Mutex::new(events))), json!(true)))
        }
        other => unsupported(other),
    }
}

fn on_scheduler(scheduler: &Scheduler, call: &str, args: &Args<'_>) -> Outcome {
    let name = args.text("name");
    match call {
        "add" => {
            let task = ScheduledTask {
                name: name.to_owned(),
                queue: args.text("queue").to_owned(),
                schedule: args.text("schedule").to_owned(),
                payload: args.value("payload").clone(),
                priority: args.integer("priority", 0),
                expires_s: args.maybe("expires_s"),
            };
            scheduler.add_with_max_attempts(task, args.integer("max_attempts", 3))?;
            value(Value::Null)
        }
        "remove" => value(scheduler.remove(name)?),
        "pause" => value(scheduler.pause(name)?),
        "resume" => value(scheduler.resume(name)?),
        "update" => {
            let given = |name: &str| (!args.value(name).is_null()).then(|| args.value(name).clone());
            let update = ScheduleUpdate {
                cron_expr: given("schedule").and_then(|text| text.as_str().map(str::to_owned)),
                payload: given("payload"),
                priority: args.maybe("priority"),
                expires_s: args.maybe("expires_s").map(Some),
            };
            value(scheduler.update(name, update)?)
        }
        "list" => list(&scheduler.list()?, values::schedule),
        "tick" => value(scheduler.tick()?.len()),
        "soonest" => value(scheduler.soonest()?),
        other => unsupported(other),
    }
}

/// A call that waits, until the stop.
pub fn waiting(stored: &Stored, request: &Request, stop: &Stop) -> Outcome {
    let on = request.on.as_deref().unwrap_or_default();
    let args = Args(&request.args);
    let worker = args.text("worker");
    match (request.call.as_str(), stored.get(on)?) {
        ("next_job", Object::Queue(queue)) => match queue.claim_waker().next_until(worker, stop)? {
            None => Ok(Answer::Cancelled(Value::Null)),
            found => Ok(one_job(found)),
        },
        ("work", Object::Queue(queue)) => work(&queue, worker, stop),
        ("next", Object::Listener(listener)) => match lock(&listener).recv_until(stop) {
            Some(next) => value(values::notification(&next?)),
            None => Ok(Answer::Cancelled(Value::Null)),
        },
        ("next", Object::Events(events)) => match lock(&events).recv_until(stop) {
            Some(next) => value(values::event(&next?)),
            None => Ok(Answer::Cancelled(Value::Null)),
        },
        ("run", Object::Scheduler(scheduler)) => {
            scheduler.run(stop, args.text("owner"))?;
            Ok(Answer::Cancelled(Value::Null))
        }
        ("run", Object::Outbox(outbox, delivered)) => deliver(&outbox, &delivered, worker, stop),
        ("wait_result", Object::Database(db)) => wait_result(&db, &args),
        (other, _) => unsupported(other),
    }
}

fn work(queue: &Queue, worker: &str, stop: &Stop) -> Outcome {
    let mut done = Vec::new();
    let waker = queue.claim_waker();
    while let Some(job) = waker.next_until(worker, stop)? {
        if job.ack()? {
            done.push(job.id);
        }
    }
    Ok(Answer::Cancelled(done.into()))
}

fn deliver(outbox: &Outbox, delivered: &Mutex<Vec<Value>>, worker: &str, stop: &Stop) -> Outcome {
    outbox.run(worker, stop, |payload| {
        if payload["refuse"] == json!(true) {
            return Err("refused");
        }
        lock(delivered).push(payload);
        Ok(())
    })?;
    Ok(Answer::Cancelled(Value::Null))
}
