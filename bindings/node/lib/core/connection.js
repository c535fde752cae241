/** The settings of every connection that honker opens. */
const PRAGMAS = [
  'busy_timeout = 5000',
  'journal_mode = WAL',
  'synchronous = NORMAL',
  'foreign_keys = ON',
  'cache_size = -32000',
  'temp_store = MEMORY',
  'wal_autocheckpoint = 10000',
];

/** Apply the settings through `exec`, a function that runs SQL. */
function applyPragmas(exec) {
  for (const pragma of PRAGMAS) exec(`PRAGMA ${pragma}`);
}

/** A cache of prepared statements, which forgets the one that was used longest ago. */
class Statements {
  #prepare;
  #kept = new Map();

  constructor(prepare) {
    this.#prepare = prepare;
  }

  get(sql) {
    const statement = this.#kept.get(sql) ?? this.#prepare(sql);
    this.#kept.delete(sql);
    this.#kept.set(sql, statement);
    if (this.#kept.size > 100) this.#kept.delete(this.#kept.keys().next().value);
    return statement;
  }
}

module.exports = { Statements, applyPragmas };
