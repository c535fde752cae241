const ACQUIRE = 'SELECT honker_lock_acquire(?, ?, ?)';
const RELEASE = 'SELECT honker_lock_release(?, ?)';
const RENEW = 'SELECT honker_lock_renew(?, ?, ?)';
const TOKEN = 'SELECT honker_lock_token(?, ?)';
const EXPIRES_AT = 'SELECT honker_lock_expires_at(?)';

/** A lock that `Database.tryLock` has acquired. It ends with `release`, or when its time is over. */
class Lock {
  #handle;
  #isReleased = false;

  constructor(handle, name, owner) {
    this.#handle = handle;
    this.name = name;
    this.owner = owner;
  }

  /** True after `release`. */
  get released() {
    return this.#isReleased;
  }

  /** Release the lock. True if its owner had it; false the second time. */
  release() {
    if (this.#isReleased) return false;
    const wasHeld = this.#handle.one(RELEASE, [this.name, this.owner]) === 1;
    this.#isReleased = true;
    return wasHeld;
  }

  /** Set the end of the lock to `ttlS` seconds from now. False if it is lost. */
  heartbeat(ttlS) {
    return !this.#isReleased && this.#handle.one(RENEW, [this.name, this.owner, ttlS]) === 1;
  }

  /** The fencing token, which grows with each owner; null if the lock is lost. */
  token() {
    return this.#handle.one(TOKEN, [this.name, this.owner]);
  }
}

if (Symbol.dispose) {
  Lock.prototype[Symbol.dispose] = function dispose() {
    this.release();
  };
}

module.exports = { ACQUIRE, EXPIRES_AT, Lock, RELEASE, RENEW, TOKEN };
