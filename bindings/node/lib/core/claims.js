const { ClosedError, invalid } = require('./errors.js');
const { Job } = require('./job.js');
const { Waiting, pollSeconds } = require('./waiting.js');

const CLAIM = 'SELECT honker_claim_batch(?, ?, ?, ?)';
const NEXT_CLAIM_AT = 'SELECT honker_queue_next_claim_at(?)';
/** The seconds between two looks of an idle worker without a commit. */
const IDLE_POLL_S = 5;

/** Parse the claimed jobs. One whose payload is not JSON becomes a dead letter, so that the others are not lost. */
function jobsOf(handle, text) {
  const jobs = [];
  for (const row of JSON.parse(text)) {
    try {
      jobs.push(new Job(handle, row));
    } catch (error) {
      const args = [row.id, row.worker_id, `the payload is not JSON: ${error.message}`, row.attempts];
      handle.one('SELECT honker_fail(?, ?, ?, ?)', args);
    }
  }
  return jobs;
}

/** The jobs of a queue, claimed one after the other as they are asked for. */
class Claims extends Waiting {
  #queue;
  #workerId;
  #idlePollS;

  constructor(handle, queue, workerId, { idlePollS, signal, persists } = {}) {
    super(handle, signal, { persists });
    this.#queue = queue;
    this.#workerId = workerId;
    this.#idlePollS = pollSeconds(idlePollS, IDLE_POLL_S);
  }

  look() {
    return this.claimFor(this.#workerId);
  }

  claimFor(workerId) {
    const args = [this.#queue.name, workerId, 1, this.#queue.visibilityTimeoutS];
    return jobsOf(this.handle, this.handle.oneInBackground(CLAIM, args))[0];
  }

  delayS() {
    const at = this.handle.oneInBackground(NEXT_CLAIM_AT, [this.#queue.name]);
    return at === 0 ? this.#idlePollS : Math.min(this.#idlePollS, this.handle.secondsUntil(at));
  }
}

/** Waits for the jobs of a queue on behalf of several workers. */
class ClaimWaker {
  #handle;
  #queue;
  #options;
  #waiting = new Set();
  #isClosed = false;

  constructor(handle, queue, options = {}) {
    handle.checkOpen();
    handle.watch.open();
    this.#handle = handle;
    this.#queue = queue;
    this.#options = options;
  }

  /** Claim a job if one is due. Returns null without one. */
  tryNext(workerId) {
    this.#checkOpen();
    return this.#queue.claimOne(workerId);
  }

  /** Wait for a job and claim it. Returns null if `signal` aborts first; then no job is taken. */
  async next(workerId, { signal } = {}) {
    this.#checkOpen();
    if (typeof workerId !== 'string') throw invalid(`workerId is a ${typeof workerId}; it must be text`);
    const claims = new Claims(this.#handle, this.#queue, workerId, { ...this.#options, signal });
    this.#waiting.add(claims);
    try {
      const job = await claims.waitForItem();
      if (job === undefined) this.#checkOpen();
      return job ?? null;
    } finally {
      this.#waiting.delete(claims);
      claims.close();
    }
  }

  #checkOpen() {
    this.#handle.checkOpen();
    if (this.#isClosed) throw new ClosedError('the waker is closed');
  }

  /** End every wait, which rejects with ClosedError. Closing twice is allowed. */
  close() {
    this.#isClosed = true;
    for (const claims of this.#waiting) claims.close();
  }
}

module.exports = { CLAIM, ClaimWaker, Claims, NEXT_CLAIM_AT, jobsOf };
