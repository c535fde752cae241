const { Statements } = require('../core/connection.js');

/** A connection of node:sqlite. */
class NodeSqlite {
  #values;
  #rows;

  constructor(raw) {
    this.raw = raw;
    this.#values = new Statements((sql) => raw.prepare(sql));
    this.#rows = new Statements((sql) => {
      const statement = raw.prepare(sql);
      statement.setReadBigInts(true);
      return statement;
    });
  }

  static open(driver, path) {
    return new NodeSqlite(new driver.module.DatabaseSync(path, { allowExtension: true }));
  }

  static accepts(raw) {
    return typeof raw?.prepare === 'function' && typeof raw.enableLoadExtension === 'function';
  }

  get isInTransaction() {
    return this.raw.isTransaction;
  }

  load(library) {
    this.raw.enableLoadExtension(true);
    try {
      this.raw.loadExtension(library);
    } finally {
      this.raw.enableLoadExtension(false);
    }
  }

  exec(sql) {
    this.raw.exec(sql);
  }

  /** The value of a SELECT, which runs to its end, so that the error of a late COMMIT is seen. */
  one(sql, args) {
    const [row] = this.#values.get(sql).all(...args);
    return row === undefined ? undefined : Object.values(row)[0];
  }

  all(sql, params) {
    return this.#rows.get(sql).all(...params);
  }

  run(sql, params) {
    return Number(this.#rows.get(sql).run(...params).changes);
  }

  close() {
    this.raw.close();
  }
}

module.exports = { NodeSqlite };
