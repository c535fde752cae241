const { invalid } = require('./errors.js');
const { ACQUIRE, EXPIRES_AT, RELEASE, RENEW, TOKEN } = require('./lock.js');
const { encode } = require('./values.js');

const REGISTER = 'SELECT honker_scheduler_register(?, ?, ?, ?, ?, ?, ?)';
const UNREGISTER = 'SELECT honker_scheduler_unregister(?)';
const PAUSE = 'SELECT honker_scheduler_pause(?)';
const RESUME = 'SELECT honker_scheduler_resume(?)';
const LIST = 'SELECT honker_scheduler_list()';
const UPDATE = 'SELECT honker_scheduler_update(?, ?, ?, ?, ?, ?, ?, ?)';
const TICK = 'SELECT honker_scheduler_tick(?)';
const TICK_NOW = 'SELECT honker_scheduler_tick(honker_clock())';
const SOONEST = 'SELECT honker_scheduler_soonest()';

const LOCK_NAME = 'honker-scheduler';
const LOCK_TTL_S = 60;
const HEARTBEAT_S = 30;
/** The longest wait: a clock that is set forward makes a schedule due without a commit. */
const LONGEST_WAIT_S = 5;

/** The schedules of a database, which are rows and outlive the process. Get one from `Database.scheduler`. */
class Scheduler {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  /** Add a schedule, or replace the one of that name; an unchanged expression keeps its next boundary. */
  add({ name, queue, schedule, cron, payload = null, priority = 0, expiresS = null, maxAttempts = 3, tx }) {
    const args = [name, queue, expressionOf(schedule, cron), encode(payload), priority, expiresS, maxAttempts];
    this.#handle.one(REGISTER, args, tx);
  }

  /** Remove a schedule. True if there was one. */
  remove(name) {
    return this.#handle.one(UNREGISTER, [name]) === 1;
  }

  /** Stop a schedule from firing. True if it was active. */
  pause(name) {
    return this.#handle.one(PAUSE, [name]) === 1;
  }

  /** Let a schedule fire again. True if it was paused. */
  resume(name) {
    return this.#handle.one(RESUME, [name]) === 1;
  }

  /** List the schedules by name. Their payloads are JSON text. */
  list() {
    return JSON.parse(this.#handle.one(LIST)).map((each) => ({ ...each, enabled: Boolean(each.enabled) }));
  }

  /** Change the properties that are present in `changes`. True if there is such a schedule. */
  update(name, changes) {
    const has = (key) => changes[key] !== undefined;
    const isTimed = has('schedule') || has('cron');
    return (
      this.#handle.one(UPDATE, [
        name,
        isTimed ? expressionOf(changes.schedule, changes.cron) : null,
        has('payload') ? encode(changes.payload) : null,
        changes.priority ?? null,
        changes.expiresS ?? null,
        has('expiresS'),
        changes.maxAttempts ?? null,
        has('maxAttempts'),
      ]) === 1
    );
  }

  /** Enqueue the jobs of all boundaries up to `now`. Returns them as `{ name, queue, fire_at, job_id }`. */
  tick(now = undefined) {
    return JSON.parse(now === undefined ? this.#handle.one(TICK_NOW) : this.#handle.one(TICK, [now]));
  }

  /** The next boundary in Unix seconds; 0 without one. */
  soonest() {
    return this.#handle.one(SOONEST);
  }

  /**
   * Fire schedules until `signal` aborts. Of all processes that run one leads, by a lock; the others stand by.
   *
   * Failures of the database that may pass are warnings of the process, and tried again.
   * The form with an object, `run({ owner, signal })`, is the same.
   */
  async run(ownerOrOptions, signal = undefined) {
    const isText = typeof ownerOrOptions === 'string';
    const options = isText ? { owner: ownerOrOptions, signal } : { signal, ...ownerOrOptions };
    if (typeof options.owner !== 'string') throw invalid(`owner is a ${typeof options.owner}; it must be text`);
    await new Leader(this.#handle, options.owner, options.signal).run();
  }
}

/** One run of a scheduler: it stands by, then leads until it loses the lock, and again. */
class Leader {
  #handle;
  #owner;
  #signal;
  #renewAt = 0;

  constructor(handle, owner, signal) {
    this.#handle = handle;
    this.#owner = owner;
    this.#signal = signal;
    handle.checkOpen();
    handle.watch.open();
  }

  async run() {
    let leads = false;
    try {
      while (!this.#signal?.aborted) {
        const seen = this.#handle.watch.generation;
        if (!leads) leads = await this.#acquire();
        const delayS = leads ? await this.#lead() : await this.#patiently(() => this.#standbyS());
        if (delayS === undefined) leads = false;
        else await this.#handle.watch.wait(seen, delayS * 1000, this.#signal);
      }
    } finally {
      if (leads && !this.#handle.isClosed) await this.#handle.patiently(() => this.#one(RELEASE));
    }
  }

  async #acquire() {
    const isOurs = await this.#patiently(() => this.#one(ACQUIRE, LOCK_TTL_S));
    this.#renewAt = performance.now() + HEARTBEAT_S * 1000;
    return isOurs === 1;
  }

  #standbyS() {
    const expiresAt = this.#handle.oneInBackground(EXPIRES_AT, [LOCK_NAME]);
    const leftS = expiresAt === null ? 0 : this.#handle.secondsUntil(expiresAt);
    return Math.min(LONGEST_WAIT_S, Math.max(leftS, 0.01));
  }

  /** Renew the lock and fire what is due. Returns the seconds to wait, or undefined if the lock is lost. */
  async #lead() {
    if (performance.now() >= this.#renewAt) {
      if ((await this.#patiently(() => this.#one(RENEW, LOCK_TTL_S))) !== 1) return undefined;
      this.#renewAt = performance.now() + HEARTBEAT_S * 1000;
    }
    const leftS = await this.#patiently(() => this.#untilSoonestS());
    if (leftS > 0) return Math.min(leftS, LONGEST_WAIT_S, (this.#renewAt - performance.now()) / 1000);
    return (await this.#patiently(() => this.#tick())) === false ? undefined : 0;
  }

  #untilSoonestS() {
    const soonest = this.#handle.oneInBackground(SOONEST);
    return soonest === 0 ? LONGEST_WAIT_S : this.#handle.secondsUntil(soonest);
  }

  /** Fire under the write lock, under which the lead is checked as well. False if it is lost. */
  #tick() {
    const { background } = this.#handle;
    background.exec('BEGIN IMMEDIATE');
    try {
      const leads = this.#one(TOKEN) !== null;
      if (leads) this.#handle.oneInBackground(TICK_NOW);
      background.exec('COMMIT');
      return leads;
    } catch (error) {
      if (background.isInTransaction) background.exec('ROLLBACK');
      throw error;
    }
  }

  #one(sql, ...args) {
    return this.#handle.oneInBackground(sql, [LOCK_NAME, this.#owner, ...args]);
  }

  #patiently(work) {
    return this.#handle.patiently(work, this.#signal, { persists: true });
  }
}

function expressionOf(schedule, cron) {
  if (schedule !== undefined && cron !== undefined) throw invalid('schedule and cron are two names of one option');
  return schedule ?? cron;
}

module.exports = { Scheduler };
