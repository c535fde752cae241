const { Statements } = require('../core/connection.js');

/** A connection of better-sqlite3. */
class BetterSqlite3 {
  #values;
  #rows;

  constructor(raw) {
    this.raw = raw;
    this.#values = new Statements((sql) => raw.prepare(sql).pluck());
    this.#rows = new Statements((sql) => {
      const statement = raw.prepare(sql);
      return statement.reader ? statement.safeIntegers() : statement;
    });
  }

  static open(driver, path) {
    return new BetterSqlite3(new driver.module(path));
  }

  static accepts(raw) {
    return typeof raw?.prepare === 'function' && typeof raw.pragma === 'function';
  }

  get isInTransaction() {
    return this.raw.inTransaction;
  }

  load(library) {
    this.raw.loadExtension(library);
  }

  exec(sql) {
    this.raw.exec(sql);
  }

  /** The value of a SELECT, which runs to its end: better-sqlite3's `get` ignores the error of a late COMMIT. */
  one(sql, args) {
    return this.#values.get(sql).all(...args)[0];
  }

  all(sql, params) {
    const statement = this.#rows.get(sql);
    if (statement.reader) return statement.all(...params);
    statement.run(...params);
    return [];
  }

  run(sql, params) {
    const statement = this.#rows.get(sql);
    if (!statement.reader) return statement.run(...params).changes;
    const before = this.one('SELECT total_changes()', []);
    statement.all(...params);
    return this.one('SELECT total_changes()', []) - before;
  }

  close() {
    this.raw.close();
  }
}

module.exports = { BetterSqlite3 };
