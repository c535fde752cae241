const { BusyError, ClosedError, errorOf, invalid, translate } = require('./errors.js');
const { bind } = require('./values.js');
const { Watch } = require('./watch.js');

const BUSY_TIMEOUT_MS = 5000;
/** A wait for the write lock blocks the event loop, so waiting operations try briefly and often. */
const BACKGROUND_TIMEOUT_MS = 20;
const BACK_OFF_MS = [2, 25];
/** The pause after a failure that may pass. */
const FAILURE_PAUSE_MS = 500;
/** The longest time for which waiting operations occupy the event loop without a pause. */
const BREATH_MS = 5;

/**
 * The connections of a Database, and everything that runs SQL.
 *
 * - `main` runs the calls that return at once.
 * - `background` runs those of waiting operations, with a short busy timeout.
 * - one more runs the transaction. It is another connection, so a call without `tx` never becomes a part of it.
 */
class Handle {
  #platform;
  #background = null;
  #transactions = null;
  #breathed = 0;
  #endings = new Set();

  constructor(platform, path, options = {}) {
    this.#platform = platform;
    this.path = path;
    this.isClosed = false;
    this.open = null;
    this.main = this.#connect(BUSY_TIMEOUT_MS);
    this.watch = new Watch((listener) => platform.watch(this.main, path, options, listener));
  }

  #connect(busyTimeoutMs) {
    const connection = this.#platform.connect(this.path);
    setBusyTimeout(connection, busyTimeoutMs);
    return connection;
  }

  checkOpen() {
    if (this.isClosed) throw new ClosedError();
  }

  /** Run `SELECT honker_...(...)` and return its value; in `tx`, if it is given. */
  one(sql, args = [], tx = undefined) {
    if (tx !== undefined && tx !== null) return one(this.#connectionOf(tx), sql, args);
    this.checkOpen();
    try {
      return one(this.main, sql, args);
    } catch (error) {
      throw this.explain(error);
    }
  }

  /** The same on the connection of waiting operations. */
  oneInBackground(sql, args = []) {
    return one(this.background, sql, args);
  }

  get background() {
    this.checkOpen();
    this.#background ??= this.#connect(BACKGROUND_TIMEOUT_MS);
    return this.#background;
  }

  /** The connection of a transaction of ours, or of a connection that the application's driver has opened. */
  #connectionOf(tx) {
    if (typeof tx.connectionFor === 'function') return tx.connectionFor(this);
    const connection = this.#platform.adapt(tx);
    if (connection === null) throw invalid('tx must be a transaction of honker or a connection of the driver');
    return connection;
  }

  /** While this handle has a transaction open, waiting for the write lock is in vain: only this thread can end it. */
  explain(error) {
    if (this.open === null || error.code !== 'HONKER_BUSY') return error;
    const hint = 'a transaction of this handle is open: pass it as tx, or end it first';
    return new BusyError(`HONKER_BUSY: ${hint}`, { code: 'HONKER_BUSY', cause: error });
  }

  /** Begin a transaction on its connection; it holds the write lock until `end`. */
  begin(transaction) {
    this.checkOpen();
    this.checkNoTransaction();
    this.#transactions ??= this.#connect(BUSY_TIMEOUT_MS);
    this.#begin(transaction, this.#transactions);
    return this.#transactions;
  }

  checkNoTransaction() {
    if (this.open === null) return;
    const hint = 'a transaction of this handle is open already; end it first, or use withTransaction, which waits';
    throw new BusyError(`HONKER_BUSY: ${hint}`, { code: 'HONKER_BUSY' });
  }

  #begin(transaction, connection) {
    try {
      connection.exec('BEGIN IMMEDIATE');
    } catch (error) {
      throw translate(error);
    }
    this.open = transaction;
    setBusyTimeout(this.main, 0);
  }

  /** The transaction has ended. */
  end() {
    this.open = null;
    if (this.isClosed) return;
    setBusyTimeout(this.main, BUSY_TIMEOUT_MS);
    for (const ending of [...this.#endings]) ending();
  }

  /** Begin a transaction when this handle has none and the write lock is free, without blocking the event loop. */
  async beginPatiently(transaction, signal) {
    const deadline = performance.now() + BUSY_TIMEOUT_MS;
    for (;;) {
      await this.untilFree(signal);
      this.checkOpen();
      signal?.throwIfAborted();
      if (this.open !== null) continue; // another one that waited was first
      this.#transactions ??= this.#connect(BUSY_TIMEOUT_MS);
      setBusyTimeout(this.#transactions, BACKGROUND_TIMEOUT_MS);
      try {
        this.#begin(transaction, this.#transactions);
        return this.#transactions;
      } catch (error) {
        if (error.code !== 'HONKER_BUSY' || performance.now() > deadline) throw error;
      } finally {
        setBusyTimeout(this.#transactions, BUSY_TIMEOUT_MS);
      }
      await this.backOff(signal);
    }
  }

  /**
   * Run `work` as soon as the write lock is free. `work` runs without a pause: it is not asynchronous itself.
   *
   * Returns undefined if `signal` aborts first. With `persists`, a failure that may pass, as of a full disk, is a
   * warning of the process, and `work` is tried again.
   */
  async patiently(work, signal, { persists = false } = {}) {
    for (;;) {
      await this.breathe();
      await this.untilFree(signal);
      this.checkOpen();
      if (signal?.aborted) return undefined;
      if (this.open !== null) continue;
      try {
        return work();
      } catch (error) {
        await this.#recover(error, signal, persists);
      }
    }
  }

  /** Wait before another try, or throw an error after which there is none. */
  async #recover(error, signal, persists) {
    if (error.code === 'HONKER_BUSY') {
      await this.backOff(signal);
    } else if (persists && error.isRetryable) {
      process.emitWarning(error);
      await pause(FAILURE_PAUSE_MS, signal);
    } else {
      throw error;
    }
  }

  /** Wait until this handle has no transaction, or `signal` aborts. */
  async untilFree(signal) {
    while (this.open !== null && !this.isClosed && !signal?.aborted) {
      await new Promise((resolve) => {
        const ending = () => {
          this.#endings.delete(ending);
          signal?.removeEventListener('abort', ending);
          resolve();
        };
        this.#endings.add(ending);
        signal?.addEventListener('abort', ending);
      });
    }
  }

  backOff(signal) {
    const [shortest, longest] = BACK_OFF_MS;
    return pause(shortest + Math.random() * (longest - shortest), signal);
  }

  /** Let timers and input run: a loop over jobs that are there already would otherwise keep them waiting. */
  breathe() {
    const now = performance.now();
    if (now - this.#breathed < BREATH_MS) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        this.#breathed = performance.now();
        resolve();
      });
    });
  }

  /** The seconds of the engine's clock until an instant. */
  secondsUntil(instant) {
    return instant - this.oneInBackground('SELECT honker_clock()');
  }

  close() {
    if (this.isClosed) return;
    this.open?.rollback();
    this.isClosed = true;
    this.watch.close();
    for (const ending of [...this.#endings]) ending();
    for (const connection of [this.#transactions, this.#background, this.main]) connection?.close();
  }
}

/** Run a SELECT with one value to its end: SQLite commits only then, and reports a COMMIT that fails. */
function one(connection, sql, args) {
  const bound = args.map(bind);
  try {
    return connection.one(sql, bound);
  } catch (error) {
    if (/no such function: (honker_|notify)/.test(error.message)) {
      throw errorOf('HONKER_SQLITE', `${error.message}; call load(connection) first`, error);
    }
    throw translate(error);
  }
}

function setBusyTimeout(connection, ms) {
  connection.exec(`PRAGMA busy_timeout = ${ms}`);
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
  });
}

module.exports = { Handle, pause };
