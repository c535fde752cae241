/** The seconds between two looks without a commit, for clocks that are set and watchers that miss one. */
const FALLBACK_POLL_S = 15;

/**
 * An asynchronous iterator over what a database holds, which waits for commits in between.
 *
 * A subclass has `look()`, which returns the next item or undefined, and `delayS()`, the longest wait in seconds.
 * `close()`, a `break` and the signal end the iteration; closing the database makes `next` reject with ClosedError.
 */
class Waiting {
  #stop = new AbortController();
  #unlink;
  #persists;

  constructor(handle, signal = undefined, { persists = false } = {}) {
    handle.checkOpen();
    this.handle = handle;
    this.#persists = persists;
    this.#unlink = link(signal, this.#stop);
    handle.watch.open();
  }

  /** True after `close`, or after its signal has aborted. */
  get isClosed() {
    return this.#stop.signal.aborted;
  }

  /** Wait for an item until the iteration ends or `signal` aborts; then the value is undefined. */
  async waitForItem(signal = undefined) {
    if (signal === undefined) return this.#wait(this.#stop.signal);
    const either = new AbortController();
    const unlinks = [link(signal, either), link(this.#stop.signal, either)];
    try {
      return await this.#wait(either.signal);
    } finally {
      for (const unlink of unlinks) unlink();
    }
  }

  async #wait(signal) {
    const { watch } = this.handle;
    const patience = { persists: this.#persists };
    while (!signal.aborted) {
      const seen = watch.generation;
      const item = await this.handle.patiently(() => this.look(), signal, patience);
      if (item !== undefined) return item;
      if (signal.aborted) break;
      const delayS = await this.handle.patiently(() => this.delayS(), signal, patience);
      await watch.wait(seen, delayS === undefined ? 0 : delayS * 1000, signal);
    }
    return undefined;
  }

  async next() {
    const value = await this.waitForItem();
    return value === undefined ? { done: true, value: undefined } : { done: false, value };
  }

  /** End the iteration. A `next` that waits resolves as done. Closing twice is allowed. */
  close() {
    this.#unlink();
    this.#stop.abort();
  }

  async return(value) {
    this.close();
    return { done: true, value };
  }

  async throw(error) {
    this.close();
    throw error;
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

/**
 * Abort `controller` when `signal` aborts. Returns a function that ends this.
 *
 * AbortSignal.any would do the same, but Node 20 keeps what it returns as long as the longest-lived of its signals.
 */
function link(signal, controller) {
  if (signal === undefined || signal === null) return () => {};
  const abort = () => controller.abort(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort);
  return () => signal.removeEventListener('abort', abort);
}

/** The seconds of an option, for which null means never. */
function pollSeconds(value, fallback) {
  const seconds = value === undefined ? fallback : value;
  return seconds === null ? Number.POSITIVE_INFINITY : seconds;
}

module.exports = { FALLBACK_POLL_S, Waiting, pollSeconds };
