const { ClosedError, errorOf } = require('./errors.js');

const LONGEST_MS = 86_400_000;
/** The pause between two looks once the watcher is dead. */
const DEAD_POLL_MS = 1000;

/**
 * The commits of the file, as a number that grows.
 *
 * Read `generation` first, then the database, then wait for another generation: no commit between is missed.
 * One subscription of the engine serves all waits of a handle.
 */
class Watch {
  #waits = new Set();
  #source = null;
  #openSource;
  #isClosed = false;

  /** `openSource({ onWake, onDeath })` subscribes, and returns an object with `ref`, `unref` and `close`. */
  constructor(openSource) {
    this.#openSource = openSource;
    this.generation = 0;
    this.death = null;
  }

  /** Subscribe, unless it has happened. A wait that found nothing reads again after this. */
  open() {
    if (this.#isClosed) throw new ClosedError();
    this.#source ??= this.#openSource({
      onWake: () => this.#wake(),
      onDeath: (reason) => this.#die(reason),
    });
  }

  #wake() {
    this.generation += 1;
    for (const wait of [...this.#waits]) wait.end();
  }

  #die(reason) {
    if (this.#isClosed || this.death) return;
    this.death = errorOf('HONKER_WATCHER', `watcher died: ${reason}`);
    this.#wake();
  }

  /**
   * Wait until there is a generation other than `seen`, for `ms` milliseconds, or until `signal` aborts.
   *
   * Rejects with ClosedError if the handle is closed meanwhile.
   */
  wait(seen, ms = LONGEST_MS, signal = undefined) {
    this.open();
    if (this.generation !== seen || ms <= 0 || signal?.aborted) return Promise.resolve();
    const longest = this.death ? DEAD_POLL_MS : LONGEST_MS;
    return new Promise((resolve, reject) => {
      this.#begin(resolve, reject, Math.min(Math.ceil(ms), longest), signal);
    });
  }

  #begin(resolve, reject, ms, signal) {
    const wait = {
      end: (error) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#waits.delete(wait);
        if (this.#waits.size === 0) this.#source?.unref();
        if (error) reject(error);
        else resolve();
      },
    };
    const onAbort = () => wait.end();
    const timer = setTimeout(onAbort, ms);
    signal?.addEventListener('abort', onAbort);
    if (this.#waits.size === 0) this.#source.ref();
    this.#waits.add(wait);
  }

  /** End the subscription and all waits, which reject with ClosedError. */
  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#source?.close();
    this.#source = null;
    for (const wait of [...this.#waits]) wait.end(new ClosedError());
  }
}

module.exports = { Watch };
