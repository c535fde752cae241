const { createRequire } = require('node:module');
const path = require('node:path');
const { errorOf, invalid } = require('../core/errors.js');
const { BetterSqlite3 } = require('./better_sqlite3.js');
const { NodeSqlite } = require('./node_sqlite.js');

const NAMES = ['better-sqlite3', 'node:sqlite'];

/**
 * Choose the driver: the one that is named or given, else better-sqlite3 if it is installed and works, else node:sqlite.
 *
 * better-sqlite3 is looked up from the program first: a second copy of it would be a second SQLite in the process.
 */
function chooseDriver(choice = process.env.HONKER_NODE_DRIVER || undefined) {
  if (choice === undefined) return betterSqlite3() ?? nodeSqlite() ?? fail();
  if (choice === 'better-sqlite3') return betterSqlite3() ?? fail(choice);
  if (choice === 'node:sqlite') return nodeSqlite() ?? fail(choice);
  if (typeof choice === 'function') return of('better-sqlite3', choice);
  if (typeof choice?.DatabaseSync === 'function') return of('node:sqlite', choice);
  throw invalid(`driver must be one of ${NAMES.join(', ')}, or one of these modules`);
}

function of(name, module) {
  return { name, module, Connection: name === 'node:sqlite' ? NodeSqlite : BetterSqlite3 };
}

let found;

function betterSqlite3() {
  found ??= [...programs().map((each) => createRequire(each)), require].map(working).find(Boolean) ?? null;
  return found === null ? null : of('better-sqlite3', found);
}

/** The files from which the program resolves its modules. */
function programs() {
  const main = require.main?.filename ?? process.argv[1];
  const files = [path.join(process.cwd(), 'program.js')];
  return main ? [path.resolve(main), ...files] : files;
}

/** better-sqlite3 as `resolve` finds it, if it opens a database: its binary may be missing, or of another Node. */
function working(resolve) {
  try {
    const module = resolve('better-sqlite3');
    new module(':memory:').close();
    return module;
  } catch {
    return null;
  }
}

function nodeSqlite() {
  const module = process.getBuiltinModule?.('node:sqlite');
  return module && tellsTransactions(module) ? of('node:sqlite', module) : null;
}

/** True from Node 22.16. */
function tellsTransactions({ DatabaseSync }) {
  const database = new DatabaseSync(':memory:');
  const tells = 'isTransaction' in database;
  database.close();
  return tells;
}

function fail(name = undefined) {
  const what = name === undefined ? 'neither better-sqlite3 nor node:sqlite works here' : `${name} does not work here`;
  throw errorOf('HONKER_CANTOPEN', `${what}: run \`npm install better-sqlite3\`, or use Node 22.16 or later`);
}

module.exports = { BetterSqlite3, NodeSqlite, chooseDriver };
