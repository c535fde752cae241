const ACK = 'SELECT honker_ack(?, ?, ?)';
const RETRY = 'SELECT honker_retry(?, ?, ?, ?, ?)';
const FAIL = 'SELECT honker_fail(?, ?, ?, ?)';
const HEARTBEAT = 'SELECT honker_heartbeat(?, ?, ?, ?)';
const RELEASE = 'SELECT honker_release(?, ?, ?)';
const SNOOZE = 'SELECT honker_snooze(?, ?, ?, ?)';

/**
 * A claimed job: one attempt, leased to one worker.
 *
 * Every operation returns true if the lease still holds. With false, nothing happened: the lease expired and the job
 * may belong to another worker, or it was settled before.
 */
class Job {
  #handle;

  constructor(handle, row) {
    this.#handle = handle;
    this.id = row.id;
    this.queue = row.queue;
    this.payload = JSON.parse(row.payload);
    this.workerId = row.worker_id;
    this.attempts = row.attempts;
    this.claimExpiresAt = row.claim_expires_at;
  }

  /** Acknowledge the job, which deletes it. */
  ack({ tx } = {}) {
    return this.#settle(ACK, [this.id, this.workerId, this.attempts], tx);
  }

  /** Put the job back for another attempt after `delayS` seconds; after the last one it is a dead letter. */
  retry(delayS = 60, error = '', { tx } = {}) {
    return this.#settle(RETRY, [this.id, this.workerId, delayS, error, this.attempts], tx);
  }

  /** Make the job a dead letter at once. */
  fail(error = '', { tx } = {}) {
    return this.#settle(FAIL, [this.id, this.workerId, error, this.attempts], tx);
  }

  /** Set the end of the lease to `extendS` seconds from now. */
  heartbeat(extendS) {
    return this.#settle(HEARTBEAT, [this.id, this.workerId, extendS, this.attempts]);
  }

  /** Give the job back at its old place; the attempt is not charged. */
  release() {
    return this.#settle(RELEASE, [this.id, this.workerId, this.attempts]);
  }

  /** Put the job off for `delayS` seconds; the attempt is not charged. */
  snooze(delayS) {
    return this.#settle(SNOOZE, [this.id, this.workerId, delayS, this.attempts]);
  }

  #settle(sql, args, tx) {
    return this.#handle.one(sql, args, tx) === 1;
  }
}

module.exports = { Job };
