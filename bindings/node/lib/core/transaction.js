const { HonkerError, errorOf, invalid, translate } = require('./errors.js');
const { bindParameter, encode, plainRow } = require('./values.js');

const NOTIFY = 'SELECT notify(?, ?)';

/**
 * A transaction, which holds the write lock from its beginning to `commit` or `rollback`.
 *
 * Get one from `Database.transaction` or `Database.withTransaction`.
 */
class Transaction {
  #handle;
  #connection = null;
  #isDone = false;

  constructor(handle) {
    this.#handle = handle;
  }

  /** Begin at once: the thread waits for the write lock. */
  begin() {
    this.#connection = this.#handle.begin(this);
    return this;
  }

  /** Begin as soon as this handle and the write lock are free. */
  async beginPatiently(signal) {
    this.#connection = await this.#handle.beginPatiently(this, signal);
    return this;
  }

  /** True after `commit` or `rollback`. */
  get done() {
    return this.#isDone;
  }

  /** The connection of the driver. Leave beginning and ending to the transaction. */
  get connection() {
    return this.#open().raw;
  }

  /** The connection on which operations of `handle` with this `tx` run. */
  connectionFor(handle) {
    if (handle.path !== this.#handle.path) {
      throw invalid(`tx belongs to ${this.#handle.path}; this operation is on ${handle.path}`);
    }
    return this.#open();
  }

  /** Run a statement. Returns the number of rows that it has changed. */
  execute(sql, params = []) {
    return this.#run((connection) => connection.run(sql, params.map(bindParameter)));
  }

  /** Run a query. Returns its rows as objects. */
  rows(sql, params = []) {
    return this.#run((connection) => connection.all(sql, params.map(bindParameter))).map(plainRow);
  }

  /** Send a notification when the transaction commits. Returns its id. */
  notify(channel, payload) {
    return this.#handle.one(NOTIFY, [channel, encode(payload)], this);
  }

  /** Commit. Does nothing after the end. If COMMIT fails, as by a deferred foreign key, the transaction stays open. */
  commit() {
    if (this.#isDone) return;
    this.#run((connection) => connection.exec('COMMIT'));
    this.#end();
  }

  /** Undo everything. Does nothing after the end. */
  rollback() {
    if (this.#isDone) return;
    try {
      if (this.#connection.isInTransaction) this.#connection.exec('ROLLBACK');
    } catch (error) {
      throw translate(error);
    } finally {
      this.#end();
    }
  }

  #end() {
    this.#isDone = true;
    this.#handle.end();
  }

  #run(work) {
    const connection = this.#open();
    try {
      return work(connection);
    } catch (error) {
      throw translate(error);
    }
  }

  /** The connection while it is in this transaction: outside of it, a statement would commit by itself. */
  #open() {
    if (this.#isDone) throw errorOf('HONKER_CLOSED', 'the transaction has ended');
    if (!this.#connection.isInTransaction) {
      throw new HonkerError('SQLite has ended the transaction; roll back and begin again');
    }
    return this.#connection;
  }
}

if (Symbol.dispose) {
  Transaction.prototype[Symbol.dispose] = function dispose() {
    this.rollback();
  };
}

module.exports = { NOTIFY, Transaction };
