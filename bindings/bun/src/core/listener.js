const { itemsOf, lastOf } = require('./stream.js');
const { ClosedError } = require('./errors.js');
const { FALLBACK_POLL_S, Waiting, pollSeconds } = require('./waiting.js');

const LAST_ID = 'SELECT honker_notification_last_id(?)';
const READ_SINCE = 'SELECT honker_notification_read_since(?, ?, ?)';
const BATCH = 1000;

/** A notification of a channel. */
class Notification {
  constructor(row) {
    this.id = row.id;
    this.channel = row.channel;
    this.payload = JSON.parse(row.payload);
    this.createdAt = row.created_at;
  }
}

/** The notifications of a channel from the moment of `Database.listen`. */
class Listener extends Waiting {
  #readTo;
  #pollS;
  #notifications = [];

  constructor(handle, channel, options = {}) {
    super(handle, options.signal);
    this.channel = channel;
    this.#pollS = pollSeconds(options.fallbackPollS, FALLBACK_POLL_S);
    this.#readTo = handle.one(LAST_ID, [channel]);
  }

  look() {
    if (this.#notifications.length === 0) {
      const text = this.handle.oneInBackground(READ_SINCE, [this.channel, this.#readTo, BATCH]);
      this.#readTo = lastOf(text, 'id', this.#readTo);
      this.#notifications = itemsOf(Notification, text);
    }
    return this.#notifications.shift();
  }

  delayS() {
    return this.#pollS;
  }
}

/** The commits to the file, of any process. */
class UpdateEvents {
  #handle;
  #seen;
  #stop = new AbortController();

  constructor(handle) {
    handle.checkOpen();
    handle.watch.open();
    this.#handle = handle;
    this.#seen = handle.watch.generation;
  }

  /**
   * Wait for a commit since the last call; several may count as one.
   *
   * Rejects with WatcherError ("watcher died: ...") once the file was replaced, and with ClosedError after `close`.
   */
  async next() {
    const { watch } = this.#handle;
    while (watch.generation === this.#seen && !watch.death) {
      if (this.#stop.signal.aborted) throw new ClosedError('the subscription is closed');
      this.#handle.checkOpen();
      await watch.wait(this.#seen, undefined, this.#stop.signal);
    }
    if (watch.death) throw watch.death;
    this.#seen = watch.generation;
  }

  /** End the subscription. Closing twice is allowed. */
  close() {
    this.#stop.abort();
  }
}

module.exports = { Listener, Notification, UpdateEvents };
