const { invalid } = require('./errors.js');
const { Queue } = require('./queue.js');

const LONGEST_BACKOFF_S = 3600;
/** The part of the delay by which deliveries that failed together are spread. */
const SPREAD = 0.1;
const LONGEST_ERROR = 4000;

/**
 * Side effects that are recorded with the rows that caused them, and delivered afterwards, each at least once.
 *
 * Get one from `Database.outbox`.
 */
class Outbox {
  #handle;
  #delivery;

  constructor(handle, name, delivery, { visibilityTimeoutS = 60, maxAttempts = 5, baseBackoffS = 5 } = {}) {
    if (typeof delivery !== 'function') throw invalid(`delivery is a ${typeof delivery}; it must be a function`);
    if (!(baseBackoffS >= 0)) throw invalid(`baseBackoffS is ${baseBackoffS}; it must not be negative`);
    this.#handle = handle;
    this.#delivery = delivery;
    this.name = name;
    this.baseBackoffS = baseBackoffS;
    this.queue = new Queue(handle, `_outbox:${name}`, { visibilityTimeoutS, maxAttempts });
  }

  /** Record a payload to deliver. With `tx`, it is delivered if and only if that transaction commits. */
  enqueue(payload, options = {}) {
    return this.queue.enqueue(payload, options);
  }

  /** The same with the transaction first. */
  enqueueTx(tx, payload, options = {}) {
    return this.queue.enqueueTx(tx, payload, options);
  }

  /**
   * Deliver payloads one after the other until `signal` aborts; the delivery under way then ends first.
   *
   * Failures of the database that may pass are warnings of the process, and tried again.
   * A delivery that throws is retried with a growing delay, and after `maxAttempts` the payload is a dead letter.
   */
  async runWorker(workerId, options = {}) {
    const jobs = this.queue.claim(workerId, { ...options, persists: true });
    for await (const job of jobs) await this.#deliver(job);
  }

  async #deliver(job) {
    const renewal = this.#keepLease(job);
    let failure = null;
    try {
      await this.#delivery(job.payload, job);
    } catch (error) {
      failure = { text: describe(error) };
    } finally {
      clearInterval(renewal);
    }
    // Without the signal: a delivery that was made must be settled.
    const settle = () => {
      if (failure === null) job.ack();
      else job.retry(this.#backoffS(job.attempts), failure.text);
    };
    await this.#handle.patiently(settle, undefined, { persists: true });
  }

  /** Renew the lease while the delivery runs, so that a slow one is not repeated by another worker. */
  #keepLease(job) {
    const { visibilityTimeoutS } = this.queue;
    const renew = () => {
      try {
        job.heartbeat(visibilityTimeoutS);
      } catch (error) {
        process.emitWarning(error);
      }
    };
    return setInterval(renew, (visibilityTimeoutS * 1000) / 3);
  }

  #backoffS(attempt) {
    const longest = Math.max(LONGEST_BACKOFF_S, this.baseBackoffS);
    return Math.min(this.baseBackoffS * 2 ** Math.min(attempt - 1, 60), longest) * (1 + Math.random() * SPREAD);
  }
}

/** The text of whatever was thrown; its conversion may throw, too. */
function describe(error) {
  try {
    return String(error).slice(0, LONGEST_ERROR);
  } catch {
    return 'an error without a text';
  }
}

module.exports = { Outbox };
