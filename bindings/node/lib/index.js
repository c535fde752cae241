const path = require('node:path');
const core = require('./core/index.js');
const { applyPragmas } = require('./core/connection.js');
const { invalid, translate } = require('./core/errors.js');
const { findLibrary } = require('./core/library.js');
const { BetterSqlite3, NodeSqlite, chooseDriver } = require('./drivers/choice.js');
const { watchPipe } = require('./pipe.js');

const PACKAGE = path.resolve(__dirname, '..');

/** A transaction of a Database. */
class Transaction extends core.Transaction {
  /** Run a query. Returns its rows as objects; BLOBs are hex text. */
  query(sql, params = []) {
    return this.rows(sql, params);
  }

  /** The connection of the driver. */
  raw() {
    return this.connection;
  }
}

/** An open database. */
class Database extends core.Database {
  /** The connection of the driver on which calls without a transaction run. */
  raw() {
    return this.connection;
  }
}

/** The driver and the library of this process, as the core needs them. */
class Platform {
  constructor({ driver, extensionPath } = {}) {
    this.driver = chooseDriver(driver);
    this.extensionFile = findLibrary(PACKAGE, extensionPath);
  }

  connect(file) {
    try {
      const connection = this.driver.Connection.open(this.driver, file);
      applyPragmas((sql) => connection.exec(sql));
      connection.load(this.extensionFile);
      return connection;
    } catch (error) {
      throw translate(error);
    }
  }

  adapt(raw) {
    return adapt(raw);
  }

  watch(connection, file, options, listener) {
    const withThread = () => {
      const { watchThread } = require('./thread.js');
      return watchThread(
        connection,
        file,
        { ...options, driverName: this.driver.name, extensionFile: this.extensionFile },
        listener,
      );
    };
    try {
      if (process.env.HONKER_NODE_WAIT === 'thread') return withThread();
      return watchPipe(connection, file, options, listener) ?? withThread();
    } catch (error) {
      throw translate(error);
    }
  }
}

const adapted = new WeakMap();

/** Our view of a connection that the application has opened; null for something else. */
function adapt(raw) {
  const Connection = [NodeSqlite, BetterSqlite3].find((each) => each.accepts(raw));
  if (Connection === undefined) return null;
  if (!adapted.has(raw)) adapted.set(raw, new Connection(raw));
  return adapted.get(raw);
}

/**
 * Open a database, and create or upgrade honker's tables in it.
 *
 * The options may be positional: `open(path, maxReaders, watcherBackend, watcherPollIntervalMs)`.
 */
function open(file, ...rest) {
  const options = optionsOf(rest);
  const interval = options.watcherPollIntervalMs;
  if (interval !== undefined && !(Number.isInteger(interval) && interval > 0)) {
    throw invalid(`watcherPollIntervalMs is ${interval}; the watcher poll interval must be positive`);
  }
  const target = typeof file === 'string' && file && !/^(file:|:memory:)/.test(file) ? path.resolve(file) : file;
  return new Database(new Platform(options), target, options, Transaction);
}

function optionsOf([first, watcherBackend, watcherPollIntervalMs]) {
  const isObject = first !== null && typeof first === 'object';
  const given = isObject ? first : { maxReaders: first, watcherBackend, watcherPollIntervalMs };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== null));
}

/** Open a connection of the driver for the application's own use, with honker's settings and functions. */
function connect(file, options = {}) {
  return new Platform(options).connect(file).raw;
}

/** Load honker's functions into a connection that the application has opened, and create its tables. */
function load(connection, { extensionPath } = {}) {
  const own = adapt(connection);
  if (own === null) throw invalid('connection must be one of better-sqlite3 or node:sqlite');
  try {
    own.load(findLibrary(PACKAGE, extensionPath));
    own.one('SELECT honker_bootstrap()', []);
  } catch (error) {
    throw translate(error);
  }
  return connection;
}

/** The path of the library that would be loaded. */
function extensionPath(explicit = undefined) {
  return findLibrary(PACKAGE, explicit);
}

const native = { NativeDatabase: Database, open };
const {
  BusyError,
  ClaimWaker,
  Claims,
  ClosedError,
  ConstraintError,
  CorruptError,
  DiskError,
  Event,
  HonkerError,
  InterruptedError,
  InvalidArgumentError,
  Job,
  Listener,
  LoadError,
  Lock,
  Notification,
  Outbox,
  Queue,
  ReadOnlyError,
  SchemaError,
  Scheduler,
  Stream,
  Subscription,
  UniqueKeyTakenError,
  UnknownParentError,
  UpdateEvents,
  WaitTimeoutError,
  WatcherError,
} = core;

// Plain names only: Node finds the names for `import { open } from ...` without running this.
module.exports = {
  BusyError,
  ClaimWaker,
  Claims,
  ClosedError,
  ConstraintError,
  CorruptError,
  DiskError,
  Event,
  HonkerError,
  InterruptedError,
  InvalidArgumentError,
  Job,
  Listener,
  LoadError,
  Lock,
  Notification,
  Outbox,
  Queue,
  ReadOnlyError,
  SchemaError,
  Scheduler,
  Stream,
  Subscription,
  UniqueKeyTakenError,
  UnknownParentError,
  UpdateEvents,
  WaitTimeoutError,
  WatcherError,
  Database,
  NativeDatabase: Database,
  NativeTransaction: Transaction,
  NativeUpdateEvents: UpdateEvents,
  Transaction,
  connect,
  extensionPath,
  load,
  native,
  open,
};
