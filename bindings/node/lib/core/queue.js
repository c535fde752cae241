const { CLAIM, ClaimWaker, Claims, NEXT_CLAIM_AT, jobsOf } = require('./claims.js');
const { encode, encodeOptions } = require('./values.js');

const ENQUEUE = 'SELECT honker_enqueue(?, ?, ?)';
const ENQUEUE_MANY = 'SELECT honker_enqueue_many(?, ?, ?, ?, ?, ?, ?, ?)';
const ACK_BATCH = 'SELECT honker_ack_batch(?, ?)';
const SWEEP_EXPIRED = 'SELECT honker_sweep_expired(?)';
const CANCEL = 'SELECT honker_cancel(?, ?)';
const GET_JOB = 'SELECT honker_get_job(?, ?)';
const PAUSE = 'SELECT honker_queue_pause(?)';
const RESUME = 'SELECT honker_queue_resume(?)';
const CONFIGURE = 'SELECT honker_queue_configure(?, ?)';
const STATS = 'SELECT honker_queue_stats(?)';
const REQUEUE = 'SELECT honker_requeue(?, ?)';

/** A queue of jobs. Get one from `Database.queue`. */
class Queue {
  #handle;

  constructor(handle, name, { visibilityTimeoutS = 300, maxAttempts = 3 } = {}) {
    this.#handle = handle;
    this.name = name;
    this.visibilityTimeoutS = visibilityTimeoutS;
    this.maxAttempts = maxAttempts;
  }

  /** Add a job. With `tx` it exists if and only if that transaction commits. Returns its id. */
  enqueue(payload, options = {}) {
    const text = encode(payload);
    return this.#handle.one(ENQUEUE, [this.name, text, this.#jobOptions(options)], options.tx);
  }

  /** The same with the transaction first. */
  enqueueTx(tx, payload, options = {}) {
    return this.enqueue(payload, { ...options, tx });
  }

  /** Add several jobs with the same options, all or none. Returns their ids. */
  enqueueMany(payloads, options = {}) {
    const list = `[${Array.from(payloads, encode).join(',')}]`;
    const { runAt, delay, priority = 0, expires, tx } = options;
    const attempts = options.maxAttempts ?? this.maxAttempts;
    const flow = encodeOptions(flowOptions(options));
    const args = [this.name, list, runAt, delay, priority, attempts, expires, flow];
    return JSON.parse(this.#handle.one(ENQUEUE_MANY, args, tx));
  }

  #jobOptions(options) {
    return encodeOptions({
      run_at: options.runAt,
      delay: options.delay,
      priority: options.priority ?? 0,
      expires: options.expires,
      max_attempts: options.maxAttempts ?? this.maxAttempts,
      ...flowOptions(options),
    });
  }

  /** Claim up to `n` due jobs: the highest priority first, then the earliest. */
  claimBatch(workerId, n) {
    return jobsOf(this.#handle, this.#handle.one(CLAIM, [this.name, workerId, n, this.visibilityTimeoutS]));
  }

  /** Claim a due job, or return null. */
  claimOne(workerId) {
    return this.claimBatch(workerId, 1)[0] ?? null;
  }

  /** Iterate over jobs: claim one, hand it out, and wait when there is none. */
  claim(workerId, options = {}) {
    return new Claims(this.#handle, this, workerId, options);
  }

  /** Make an object that waits for jobs one at a time. */
  claimWaker(options = {}) {
    return new ClaimWaker(this.#handle, this, options);
  }

  /** The instant at which a claim could find a job, in Unix seconds; 0 without one. */
  nextClaimAt() {
    return this.#handle.one(NEXT_CLAIM_AT, [this.name]);
  }

  /** Acknowledge several jobs of a worker. Returns the number of leases that held. */
  ackBatch(ids, workerId, { tx } = {}) {
    return this.#handle.one(ACK_BATCH, [encodeOptions(Array.from(ids)), workerId], tx);
  }

  /** Make the expired jobs dead letters. Returns their number. */
  sweepExpired() {
    return this.#handle.one(SWEEP_EXPIRED, [this.name]);
  }

  /** Remove a job of this queue, waiting or leased. True if there was one. */
  cancel(id, { tx } = {}) {
    return this.#handle.one(CANCEL, [id, this.name], tx) === 1;
  }

  /** Return a job of this queue that waits or is leased, or null. Its payload is JSON text. */
  getJob(id) {
    const text = this.#handle.one(GET_JOB, [id, this.name]);
    return text === '' ? null : JSON.parse(text);
  }

  /** Put a dead letter back with all its attempts. True if there was one. */
  requeue(id) {
    return this.#handle.one(REQUEUE, [id, this.name]) === 1;
  }

  /** Stop claims in every process. True if the queue was running. */
  pause() {
    return this.#handle.one(PAUSE, [this.name]) === 1;
  }

  /** Allow claims again. True if the queue was paused. */
  resume() {
    return this.#handle.one(RESUME, [this.name]) === 1;
  }

  /** Change settings of the queue, as `{ concurrency: 4 }`, for every process. Returns all settings. */
  configure(settings) {
    return JSON.parse(this.#handle.one(CONFIGURE, [this.name, encodeOptions(settings)]));
  }

  /** Count the jobs by state. */
  stats() {
    return JSON.parse(this.#handle.one(STATS, [this.name]));
  }
}

/** The options that relate a job to others. */
function flowOptions(options) {
  return {
    key: options.key,
    unique_key: options.uniqueKey,
    on_conflict: options.onConflict,
    unique_for_s: options.uniqueForS,
    unique_until: options.uniqueUntil,
    debounce_s: options.debounceS,
    debounce_max_s: options.debounceMaxS,
    after: options.after,
    on_parent_failure: options.onParentFailure,
  };
}

module.exports = { Queue };
