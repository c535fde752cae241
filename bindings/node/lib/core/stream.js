const { errorOf } = require('./errors.js');
const { encode } = require('./values.js');
const { FALLBACK_POLL_S, Waiting, pollSeconds } = require('./waiting.js');

const PUBLISH = 'SELECT honker_stream_publish(?, ?, ?)';
const READ_SINCE = 'SELECT honker_stream_read_since(?, ?, ?)';
const SAVE_OFFSET = 'SELECT honker_stream_save_offset(?, ?, ?)';
const GET_OFFSET = 'SELECT honker_stream_get_offset(?, ?)';
const BATCH = 1000;

/** An event of a stream. */
class Event {
  constructor(row) {
    this.offset = row.offset;
    this.topic = row.topic;
    this.key = row.key;
    this.payload = JSON.parse(row.payload);
    this.createdAt = row.created_at;
  }

  /** The same as `createdAt`. */
  get created_at() {
    return this.createdAt;
  }
}

/** Parse rows. One that was edited by hand into no event is told as a warning and left out. */
function itemsOf(Class, text) {
  const items = [];
  for (const row of JSON.parse(text)) {
    if (row.malformed === undefined) items.push(new Class(row));
    else process.emitWarning(`row ${row.offset ?? row.id}: ${row.malformed}`, { code: 'HONKER_MALFORMED_ROW' });
  }
  return items;
}

/** The offset or id of the last row, of whatever form. */
function lastOf(text, name, fallback) {
  return JSON.parse(text).at(-1)?.[name] ?? fallback;
}

/** A log of events by topic. Get one from `Database.stream`. */
class Stream {
  #handle;

  constructor(handle, name) {
    this.#handle = handle;
    this.name = name;
    this.topic = name;
  }

  /** Append an event. Returns its offset. */
  publish(payload, { key = null, tx } = {}) {
    return this.#handle.one(PUBLISH, [this.topic, key, encode(payload)], tx);
  }

  /** Append an event with a key. Returns its offset. */
  publishWithKey(key, payload, { tx } = {}) {
    return this.publish(payload, { key, tx });
  }

  /** Append an event if the transaction commits. Returns its offset. */
  publishTx(tx, payload, key = null) {
    return this.publish(payload, { key, tx });
  }

  /** Read up to `limit` events after an offset, in order; 0 is the beginning. */
  readSince(offset, limit = BATCH) {
    return itemsOf(Event, this.#handle.one(READ_SINCE, [this.topic, offset, limit]));
  }

  /** Read up to `limit` events after the saved offset of a consumer. */
  readFromConsumer(consumer, limit = BATCH) {
    return this.readSince(this.getOffset(consumer), limit);
  }

  /** Save the offset of a consumer. True if it rose. */
  saveOffset(consumer, offset, { tx } = {}) {
    return this.#handle.one(SAVE_OFFSET, [consumer, this.topic, offset], tx) === 1;
  }

  /** Save the offset of a consumer if the transaction commits. */
  saveOffsetTx(tx, consumer, offset) {
    return this.saveOffset(consumer, offset, { tx });
  }

  /** The saved offset of a consumer; 0 without one. */
  getOffset(consumer) {
    return this.#handle.one(GET_OFFSET, [consumer, this.topic]);
  }

  /** Iterate over the events after the consumer's offset, and wait for more. */
  subscribe(consumer, options = {}) {
    return new Subscription(this.#handle, this, consumer, options);
  }
}

/**
 * The events of a stream for one consumer, each at least once.
 *
 * An event is done when the next one is asked for. The offset of the last event that is done is saved after
 * `saveEveryN` events, after `saveEveryS` seconds, and at `close`.
 */
class Subscription extends Waiting {
  #stream;
  #consumer;
  #everyN;
  #everyS;
  #pollS;
  #events = [];
  #readTo;
  #current = null;
  #done = null;
  #unsaved = 0;
  #savedAt = performance.now();

  constructor(handle, stream, consumer, options) {
    super(handle, options.signal);
    this.#stream = stream;
    this.#consumer = consumer;
    this.#everyN = options.saveEveryN ?? 1000;
    this.#everyS = options.saveEveryS ?? 1;
    this.#pollS = pollSeconds(options.fallbackPollS ?? options.idlePollS, FALLBACK_POLL_S);
    this.#readTo = stream.getOffset(consumer);
  }

  async next() {
    if (this.#current !== null) {
      this.#done = this.#current;
      this.#current = null;
      this.#unsaved += 1;
    }
    const result = await super.next();
    this.#current = result.done ? null : result.value.offset;
    if (result.done) this.#saveAtEnd();
    return result;
  }

  look() {
    if (this.#isSaveDue()) this.#save();
    if (this.#events.length === 0) {
      const text = this.handle.oneInBackground(READ_SINCE, [this.#stream.topic, this.#readTo, BATCH]);
      this.#readTo = lastOf(text, 'offset', this.#readTo);
      this.#events = itemsOf(Event, text);
    }
    return this.#events.shift();
  }

  delayS() {
    if (this.#unsaved === 0 || this.#everyS <= 0) return this.#pollS;
    return Math.min(this.#pollS, Math.max(0.001, this.#everyS - this.#sinceSaveS()));
  }

  #sinceSaveS() {
    return (performance.now() - this.#savedAt) / 1000;
  }

  #isSaveDue() {
    if (this.#unsaved === 0) return false;
    const isMany = this.#everyN > 0 && this.#unsaved >= this.#everyN;
    return isMany || (this.#everyS > 0 && this.#sinceSaveS() >= this.#everyS);
  }

  #save() {
    this.handle.oneInBackground(SAVE_OFFSET, [this.#consumer, this.#stream.topic, this.#done]);
    this.#unsaved = 0;
    this.#savedAt = performance.now();
  }

  /** Save the offset of the last event that is done, and end the iteration. */
  close() {
    super.close();
    this.#saveAtEnd();
  }

  #saveAtEnd() {
    const mayNot = this.#everyN <= 0 && this.#everyS <= 0;
    if (this.#unsaved === 0 || mayNot || this.handle.isClosed) return;
    try {
      this.#stream.saveOffset(this.#consumer, this.#done);
      this.#unsaved = 0;
    } catch (error) {
      if (!error.isRetryable) throw error;
      // Without the offset the events come again, as after a crash.
      process.emitWarning(errorOf(error.code, `the offset of ${this.#consumer} is not saved: ${error.message}`));
    }
  }
}

module.exports = { Event, Stream, Subscription, itemsOf, lastOf };
