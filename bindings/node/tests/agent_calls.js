// The calls of conformance/README.md in JavaScript, for Node's agent and for Bun's.

const readline = require('node:readline');

const KINDS = ['Database', 'Transaction', 'Queue', 'Job', 'Lock', 'Stream', 'Scheduler'];

/** The stored objects, and a method for each call, named after the kind of its object. */
class Agent {
  constructor(api) {
    this.api = api;
    this.objects = new Map();
    this.connections = new Map();
    this.stops = new Map();
  }

  kindOf(object) {
    if (object instanceof Delivering) return 'outbox';
    const found = KINDS.find((each) => object instanceof this.api[each]);
    return found === undefined ? 'waiting' : found.toLowerCase();
  }

  async handle(request) {
    const target = this.objects.get(request.on);
    const method = request.on === undefined ? request.call : `${this.kindOf(target)}_${request.call}`;
    if (this[method] === undefined) return { error: { code: 'UNSUPPORTED', message: method } };
    const stop = new AbortController();
    this.stops.set(request.id, stop);
    try {
      const made = await this[method](target, request.args, stop.signal);
      return this.store(request, made, stop.signal.aborted);
    } catch (error) {
      return { error: { code: codeOf(error), message: String(error.message) } };
    } finally {
      this.stops.delete(request.id);
    }
  }

  store(request, made, isCancelled) {
    if (request.as !== undefined) {
      this.objects.set(request.as, made);
      if (Array.isArray(made))
        for (const [index, each] of made.entries()) this.objects.set(`${request.as}.${index}`, each);
    }
    const answer = { value: this.plain(made) };
    return isCancelled ? { ...answer, cancelled: true } : answer;
  }

  /** The value as JSON has it. */
  plain(value) {
    const { Event, Job, Notification } = this.api;
    if (value instanceof Job) {
      return pick(value, { id: 'id', queue: 'queue', payload: 'payload', worker_id: 'workerId', attempts: 'attempts' });
    }
    if (value instanceof Event) {
      return pick(value, {
        offset: 'offset',
        topic: 'topic',
        key: 'key',
        payload: 'payload',
        created_at: 'created_at',
      });
    }
    if (value instanceof Notification) return pick(value, { id: 'id', channel: 'channel', payload: 'payload' });
    if (Array.isArray(value)) return value.map((each) => this.plain(each));
    if (value === undefined || value === null) return null;
    return typeof value === 'object' && Object.getPrototypeOf(value) !== Object.prototype ? true : value;
  }

  tx({ tx }) {
    return tx === undefined ? {} : { tx: this.objects.get(tx) };
  }

  cancel(_, { call }) {
    this.stops.get(call)?.abort();
  }

  // ------------------------------------------------------------------------------------------------------- database

  open(_, { path }) {
    return this.api.open(path);
  }

  database_close(db) {
    this.connections.get(db)?.close();
    this.connections.delete(db);
    db.close();
  }

  /** A connection beside the handle, on which every statement commits by itself. */
  connection(db) {
    if (!this.connections.has(db)) this.connections.set(db, this.api.connect(db.path));
    return this.connections.get(db);
  }

  database_sql(db, { sql, tx }) {
    const connection = tx === undefined ? this.connection(db) : this.objects.get(tx).connection;
    return cell(this.api.cellOf(connection, sql));
  }

  database_begin(db) {
    return db.transaction();
  }

  database_queue(db, args) {
    return db.queue(
      args.name,
      given({ visibilityTimeoutS: args.visibility_timeout_s, maxAttempts: args.max_attempts }),
    );
  }

  database_stream(db, { name }) {
    return db.stream(name);
  }

  database_scheduler(db) {
    return db.scheduler();
  }

  database_outbox(db, args) {
    return new Delivering(db, args);
  }

  database_notify(db, args) {
    return db.notify(args.channel, args.payload, this.tx(args));
  }

  database_listen(db, { channel }) {
    return db.listen(channel, { fallbackPollS: null });
  }

  database_try_lock(db, { name, owner, ttl_s }) {
    return db.tryLock(name, owner, ttl_s) ?? false;
  }

  database_try_rate_limit(db, { name, limit, per_s }) {
    return db.tryRateLimit(name, limit, per_s);
  }

  database_save_result(db, { job_id, value, ttl_s }) {
    db.saveResult(job_id, value, ttl_s);
  }

  database_get_result(db, { job_id }) {
    return db.getResult(job_id);
  }

  database_wait_result(db, { job_id, timeout_s }, signal) {
    return db.waitResult(job_id, { timeoutS: timeout_s, signal });
  }

  transaction_execute(tx, { sql }) {
    tx.execute(sql);
  }

  transaction_commit(tx) {
    tx.commit();
  }

  transaction_rollback(tx) {
    tx.rollback();
  }

  // ---------------------------------------------------------------------------------------------------------- queue

  queue_enqueue(queue, { payload, run_at: runAt, delay, priority, expires, ...rest }) {
    return queue.enqueue(payload, { ...given({ runAt, delay, priority, expires }), ...this.tx(rest) });
  }

  queue_claim_one(queue, { worker }) {
    return queue.claimOne(worker);
  }

  queue_claim_batch(queue, { worker, n }) {
    return queue.claimBatch(worker, n);
  }

  async queue_next_job(queue, { worker }, signal) {
    const waker = queue.claimWaker({ idlePollS: null });
    try {
      return await waker.next(worker, { signal });
    } finally {
      waker.close();
    }
  }

  queue_ack_batch(queue, { ids, worker }) {
    return queue.ackBatch(ids, worker);
  }

  queue_cancel_job(queue, { id }) {
    return queue.cancel(id);
  }

  queue_get_job(queue, { id }) {
    return queue.getJob(id);
  }

  queue_sweep_expired(queue) {
    return queue.sweepExpired();
  }

  async queue_work(queue, { worker }, signal) {
    const done = [];
    for await (const job of this.api.claim(queue, worker, signal)) if (job.ack()) done.push(job.id);
    return done;
  }

  job_ack(job) {
    return job.ack();
  }

  job_retry(job, { delay_s, error }) {
    return job.retry(delay_s, error);
  }

  job_fail(job, { error }) {
    return job.fail(error);
  }

  job_heartbeat(job, { extend_s }) {
    return job.heartbeat(extend_s);
  }

  lock_release(lock) {
    return lock.release();
  }

  lock_heartbeat(lock, { ttl_s }) {
    return lock.heartbeat(ttl_s);
  }

  // --------------------------------------------------------------------------------------------- streams, listeners

  stream_publish(stream, { payload, key, tx }) {
    if (tx !== undefined) return stream.publishTx(this.objects.get(tx), payload, key);
    return key === undefined ? stream.publish(payload) : stream.publishWithKey(key, payload);
  }

  stream_read_since(stream, { offset, limit }) {
    return stream.readSince(offset, limit);
  }

  stream_read_from_consumer(stream, { consumer, limit }) {
    return stream.readFromConsumer(consumer, limit);
  }

  stream_save_offset(stream, { consumer, offset, tx }) {
    if (tx !== undefined) return stream.saveOffsetTx(this.objects.get(tx), consumer, offset);
    return stream.saveOffset(consumer, offset);
  }

  stream_get_offset(stream, { consumer }) {
    return stream.getOffset(consumer);
  }

  stream_subscribe(stream, { consumer, save_every_n }) {
    return stream.subscribe(consumer, given({ saveEveryN: save_every_n, saveEveryS: 0 }));
  }

  async waiting_next(waiting) {
    return (await waiting.next()).value;
  }

  waiting_close(waiting) {
    waiting.close();
  }

  // ------------------------------------------------------------------------------------------------------ schedules

  scheduler_add(scheduler, { expires_s: expiresS, max_attempts: maxAttempts, ...args }) {
    scheduler.add({ ...args, ...given({ expiresS, maxAttempts }) });
  }

  scheduler_remove(scheduler, { name }) {
    return scheduler.remove(name);
  }

  scheduler_pause(scheduler, { name }) {
    return scheduler.pause(name);
  }

  scheduler_resume(scheduler, { name }) {
    return scheduler.resume(name);
  }

  scheduler_update(scheduler, { name, expires_s: expiresS, max_attempts: maxAttempts, ...changes }) {
    return scheduler.update(name, { ...changes, ...given({ expiresS, maxAttempts }) });
  }

  scheduler_list(scheduler) {
    return scheduler.list();
  }

  scheduler_tick(scheduler) {
    return scheduler.tick().length;
  }

  scheduler_soonest(scheduler) {
    return scheduler.soonest();
  }

  scheduler_run(scheduler, { owner }, signal) {
    return this.api.runScheduler(scheduler, owner, signal);
  }

  outbox_enqueue(outbox, args) {
    return outbox.made.enqueue(args.payload, this.tx(args));
  }

  outbox_run(outbox, { worker }, signal) {
    return outbox.made.runWorker(worker, { signal });
  }

  outbox_delivered(outbox) {
    return outbox.delivered;
  }
}

/** An outbox that keeps what it delivers. */
class Delivering {
  constructor(db, { name, max_attempts: maxAttempts, base_backoff_s: baseBackoffS }) {
    this.delivered = [];
    this.made = db.outbox(name, (payload) => this.deliver(payload), given({ maxAttempts, baseBackoffS }));
  }

  deliver(payload) {
    if (payload?.refuse) throw new Error('refused');
    this.delivered.push(payload);
  }
}

/** The options that are given. */
function given(options) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function pick(object, names) {
  return Object.fromEntries(Object.entries(names).map(([name, field]) => [name, object[field]]));
}

/** A value of SQLite with its type; integers come as BigInt. */
function cell(value) {
  if (value === undefined) return null;
  if (value === null) return { type: 'null', value };
  if (typeof value === 'bigint') return { type: 'integer', value };
  if (typeof value === 'number') return { type: 'real', value };
  if (typeof value === 'string') return { type: 'text', value };
  return { type: 'blob', value: Buffer.from(value).toString('hex') };
}

function codeOf(error) {
  if (error.code === 'HONKER_TIMEOUT') return 'TIMEOUT';
  return String(error.code ?? error.name);
}

/** JSON text, in which a BigInt is a number with all its digits. */
function jsonOf(answer) {
  const text = JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? `\u0000int:${value}` : value));
  return text.replace(/"\\u0000int:(-?\d+)"/g, '$1');
}

function write(id, answer) {
  const at = Math.round((performance.timeOrigin + performance.now()) * 1000);
  process.stdout.write(`${jsonOf({ id, ...answer, at })}\n`);
}

/** Answer the calls of standard input; one that is not in the background ends before the next begins. */
async function main(api) {
  const agent = new Agent(api);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    const answered = agent.handle(request).then((answer) => write(request.id, answer));
    if (!request.background) await answered;
  }
  for (const stop of agent.stops.values()) stop.abort();
}

module.exports = { main };
