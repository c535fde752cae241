const { errorOf, invalid, translate } = require('./errors.js');
const { Handle } = require('./handle.js');
const { Listener, UpdateEvents } = require('./listener.js');
const { ACQUIRE, Lock } = require('./lock.js');
const { Outbox } = require('./outbox.js');
const { Queue } = require('./queue.js');
const { waitResult } = require('./results.js');
const { Scheduler } = require('./scheduler.js');
const { Stream } = require('./stream.js');
const { NOTIFY, Transaction } = require('./transaction.js');
const { bindParameter, encode, plainRow } = require('./values.js');

const RATE_LIMIT_TRY = 'SELECT honker_rate_limit_try(?, ?, ?)';
const RATE_LIMIT_SWEEP = 'SELECT honker_rate_limit_sweep(?)';
const RESULT_SAVE = 'SELECT honker_result_save(?, ?, ?)';
const RESULT_GET = 'SELECT honker_result_get(?)';
const RESULT_SWEEP = 'SELECT honker_result_sweep()';
const NOTIFICATION_PRUNE = 'SELECT honker_notification_prune(?, ?)';

/** An open database. Every operation after `close` throws ClosedError. */
class Database {
  #handle;
  #Transaction;

  constructor(platform, path, options = {}, TransactionClass = Transaction) {
    this.#handle = openHandle(platform, path, options);
    this.#Transaction = TransactionClass;
  }

  /** The path of the file. */
  get path() {
    return this.#handle.path;
  }

  /** The driver's connection of operations without a transaction. */
  get connection() {
    this.#handle.checkOpen();
    return this.#handle.main.raw;
  }

  /** Begin a transaction. The thread waits for the write lock of other processes, up to five seconds. */
  transaction() {
    return new this.#Transaction(this.#handle).begin();
  }

  /**
   * Run `work(tx)` in a transaction, which commits when `work` is done and rolls back if it throws.
   *
   * It waits for other transactions of this handle, and for the write lock, without blocking the event loop. Inside,
   * do not wait for anything that needs the end of the transaction, as the next job of a queue.
   */
  async withTransaction(work, { signal } = {}) {
    const tx = await new this.#Transaction(this.#handle).beginPatiently(signal);
    try {
      const value = await work(tx);
      tx.commit();
      return value;
    } catch (error) {
      tx.rollback();
      throw error;
    }
  }

  /** Run a query outside of transactions. Returns its rows as objects. */
  query(sql, params = []) {
    this.#handle.checkOpen();
    try {
      return this.#handle.main.all(sql, params.map(bindParameter)).map(plainRow);
    } catch (error) {
      throw this.#handle.explain(translate(error));
    }
  }

  /** Get a queue; this runs no SQL. */
  queue(name, options = {}) {
    return new Queue(this.#handle, name, options);
  }

  /** Get an outbox, whose `delivery(payload, job)` may be asynchronous. */
  outbox(name, delivery, options = {}) {
    return new Outbox(this.#handle, name, delivery, options);
  }

  /** Get a stream; this runs no SQL. */
  stream(name) {
    return new Stream(this.#handle, name);
  }

  /** Get the scheduler. */
  scheduler() {
    return new Scheduler(this.#handle);
  }

  /** Send a notification to the listeners of a channel. Returns its id. */
  notify(channel, payload, { tx } = {}) {
    return this.#handle.one(NOTIFY, [channel, encode(payload)], tx);
  }

  /** Send a notification when the transaction commits. Returns its id. */
  notifyTx(tx, channel, payload) {
    return this.notify(channel, payload, { tx });
  }

  /** Iterate over the notifications of a channel that are sent from now on. */
  listen(channel, options = {}) {
    return new Listener(this.#handle, channel, options);
  }

  /** Subscribe to the commits of any process. */
  updateEvents() {
    return new UpdateEvents(this.#handle);
  }

  /** Acquire a lock for `ttlS` seconds, or return null if another owner holds it. */
  tryLock(name, owner, ttlS = 60) {
    return this.#handle.one(ACQUIRE, [name, owner, ttlS]) === 1 ? new Lock(this.#handle, name, owner) : null;
  }

  /** Count one use of a name. False if `limit` uses were counted in the current window of `per` seconds. */
  tryRateLimit(name, limit, per) {
    return this.#handle.one(RATE_LIMIT_TRY, [name, limit, per]) === 1;
  }

  /** Delete windows that began more than `olderThanS` seconds ago. Returns their number. */
  sweepRateLimits(olderThanS = 3600) {
    return this.#handle.one(RATE_LIMIT_SWEEP, [olderThanS]);
  }

  /** Save the text of a job's result for `ttlS` seconds; 0 keeps it. */
  saveResult(jobId, value, ttlS = 0, { tx } = {}) {
    this.#handle.one(RESULT_SAVE, [jobId, value, ttlS], tx);
  }

  /** The text of a job's result, or null. */
  getResult(jobId) {
    return this.#handle.one(RESULT_GET, [jobId]);
  }

  /** Wait for the text of a job's result. Rejects with WaitTimeoutError after `timeoutS` seconds. */
  waitResult(jobId, options = {}) {
    return waitResult(this.#handle, RESULT_GET, jobId, options);
  }

  /** Delete the results whose time is over. Returns their number. */
  sweepResults() {
    return this.#handle.one(RESULT_SWEEP);
  }

  /** Delete notifications that exceed either limit. Returns their number. */
  pruneNotifications(olderThanS = undefined, maxKeep = undefined) {
    if (maxKeep < 0) throw invalid('maxKeep must not be negative');
    return this.#handle.one(NOTIFICATION_PRUNE, [olderThanS, maxKeep]);
  }

  /** Roll an open transaction back, end every wait with ClosedError, and close. Closing twice is allowed. */
  close() {
    this.#handle.close();
  }
}

if (Symbol.dispose) {
  Database.prototype[Symbol.dispose] = function dispose() {
    this.close();
  };
}

function openHandle(platform, path, options) {
  if (typeof path !== 'string' || path === '') throw invalid('path must be text that is not empty');
  if (path === ':memory:') throw invalid('path is :memory:; honker needs a file');
  const handle = new Handle(platform, path, options);
  try {
    handle.one('SELECT honker_bootstrap()');
    // A backend that was asked for and cannot work is an error here, and not at the first wait.
    if (options.watcherBackend || options.watcherPollIntervalMs !== undefined) handle.watch.open();
    return handle;
  } catch (error) {
    handle.close();
    throw error.code === 'HONKER_WATCHER' ? errorOf(error.code, `watcherBackend: ${error.message}`, error) : error;
  }
}

module.exports = { Database };
