/**
 * Durable queues, streams, notifications, schedules, locks, rate limits and results inside the application's own SQLite
 * file, for Bun.
 */

import { Database as Sqlite } from 'bun:sqlite';
import { resolve } from 'node:path';
import { applyPragmas } from './core/connection.js';
import { invalid, translate } from './core/errors.js';
import * as core from './core/index.js';
import { findLibrary } from './core/library.js';
import { Connection, chooseSqlite } from './driver';
import { Pipe, reopen, type Source, subscribe, type WakeListener, type WatchOptions } from './pipe';
import { watchThread } from './thread';

export * from './core/index.js';

const PACKAGE = resolve(import.meta.dir, '..');

/** Options of `open`. */
export interface OpenOptions {
  /** The SQLite library of the process on macOS, whose own loads no extensions. Default: that of Homebrew or MacPorts. */
  sqliteLibPath?: string;
  /** How commits are noticed: `polling`, `kernel` or `shm`. By default the engine chooses. */
  watcherBackend?: string | null;
  /** Milliseconds between two looks of a polling watcher, more than 0. Default 1. */
  watcherPollIntervalMs?: number;
  /** The library of the engine, as the second argument of `open`. */
  extensionPath?: string;
}

/** A transaction, which holds the write lock from its beginning to its end. */
export class Transaction extends core.Transaction {
  /** Run a query. Returns its first row, or null without one. */
  query(sql: string, params: core.Parameter[] = []): core.Row | null {
    return this.rows(sql, params)[0] ?? null;
  }

  /** The connection of bun:sqlite. Leave beginning and ending to the transaction. */
  get raw(): Sqlite {
    return this.connection;
  }
}

/** An open database. */
export class Database extends core.Database<Transaction> {
  constructor(path: string, extensionPath?: string | null, options: OpenOptions = {}) {
    super(new Platform(extensionPath ?? options.extensionPath, options.sqliteLibPath), path, options, Transaction);
  }

  /** The connection of bun:sqlite on which calls without a transaction run. */
  get raw(): Sqlite {
    return this.connection;
  }
}

/** The library of this process, and the connections and subscriptions that the core needs. */
class Platform {
  readonly extensionFile: string;
  readonly sqliteLibPath: string | undefined;

  constructor(extensionPath: string | undefined, sqliteLibPath: string | undefined) {
    chooseSqlite(sqliteLibPath);
    this.sqliteLibPath = sqliteLibPath;
    this.extensionFile = findLibrary(PACKAGE, extensionPath);
  }

  connect(path: string): Connection {
    try {
      const connection = Connection.open(path);
      applyPragmas((sql) => connection.exec(sql));
      connection.load(this.extensionFile);
      return connection;
    } catch (error) {
      throw translate(error);
    }
  }

  adapt(raw: object): Connection | null {
    return raw instanceof Sqlite ? new Connection(raw, { isOwn: false }) : null;
  }

  watch(connection: Connection, path: string, options: WatchOptions, listener: WakeListener): Source {
    try {
      const usesThread = process.env.HONKER_BUN_WAIT === 'thread';
      const { id, descriptor, close } = subscribe(connection, path, options, usesThread ? '' : 'pipe');
      const fd = usesThread ? null : reopen(descriptor);
      if (fd !== null) return new Pipe(fd, close, listener);
      const { extensionFile, sqliteLibPath } = this;
      return watchThread({ id, extensionFile, path, sqliteLibPath }, close, listener);
    } catch (error) {
      throw translate(error);
    }
  }
}

/**
 * Open a database, and create or upgrade honker's tables in it.
 *
 * @param path A file; its folder must exist.
 * @param extensionPath The library of the engine. Default: HONKER_EXTENSION_PATH, then the one in the package.
 * @throws HonkerError if the file cannot be opened, or the library is missing.
 */
export function open(path: string, extensionPath?: string | null | OpenOptions, options: OpenOptions = {}): Database {
  const isObject = typeof extensionPath === 'object' && extensionPath !== null;
  const all = isObject ? extensionPath : options;
  const interval = all.watcherPollIntervalMs;
  if (interval !== undefined && !(Number.isInteger(interval) && interval > 0)) {
    throw invalid(`watcherPollIntervalMs is ${interval}; the watcher poll interval must be positive`);
  }
  const isPlain = typeof path === 'string' && path !== '' && !/^(file:|:memory:)/.test(path);
  return new Database(isPlain ? resolve(path) : path, isObject ? undefined : extensionPath, all);
}

/** Open a connection of bun:sqlite for the application's own use, with honker's settings and functions. */
export function connect(path: string, extensionPath?: string, { sqliteLibPath }: OpenOptions = {}): Sqlite {
  return new Platform(extensionPath, sqliteLibPath).connect(path).raw;
}

/**
 * Load honker's functions into a connection that the application has opened, and create honker's tables.
 *
 * Afterwards the connection may be the `tx` of an operation. Returns the connection.
 */
export function load(connection: Sqlite, extensionPath?: string): Sqlite {
  const own = new Connection(connection, { isOwn: false });
  try {
    own.load(findLibrary(PACKAGE, extensionPath));
    own.one('SELECT honker_bootstrap()', []);
  } catch (error) {
    throw translate(error);
  }
  return connection;
}
