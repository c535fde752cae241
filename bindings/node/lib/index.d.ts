import * as core from './core/index.js';

export * from './core/index.js';

/** The name of a driver, or its module: the class of better-sqlite3, or the module node:sqlite. */
export type Driver = 'better-sqlite3' | 'node:sqlite' | object;

/** Options of `open`. */
export interface OpenOptions {
  /** Accepted for programs of earlier versions; reads share one connection. */
  maxReaders?: number | null;
  /** How commits are noticed: `polling`, `kernel` or `shm`. By default the engine chooses. */
  watcherBackend?: string | null;
  /** Milliseconds between two looks of a polling watcher, more than 0. Default 1. */
  watcherPollIntervalMs?: number | null;
  /** Default: better-sqlite3 if it is installed and works, else node:sqlite. */
  driver?: Driver;
  /** The library of the engine. Default: HONKER_EXTENSION_PATH, then the one in the package. */
  extensionPath?: string;
}

/** A transaction, which holds the write lock from its beginning to its end. */
export class Transaction extends core.Transaction {
  private constructor();
  /** Run a query. Returns its rows as objects; BLOBs are hex text. */
  query(sql: string, params?: core.Parameter[]): core.Row[];
  /** The connection of the driver. */
  // biome-ignore lint/suspicious/noExplicitAny: the application knows its driver
  raw(): any;
}

/** An open database. */
export class Database extends core.Database<Transaction> {
  private constructor();
  /** The connection of the driver on which calls without a transaction run. */
  // biome-ignore lint/suspicious/noExplicitAny: the application knows its driver
  raw(): any;
}

/**
 * Open a database, and create or upgrade honker's tables in it.
 *
 * @param path A file; its folder must exist.
 * @throws HonkerError if the file cannot be opened, or the library or the driver is missing.
 */
export function open(path: string, options?: OpenOptions): Database;
export function open(
  path: string,
  maxReaders?: number | null,
  watcherBackend?: string | null,
  watcherPollIntervalMs?: number | null,
): Database;

/** Open a connection of the driver for the application's own use, with honker's settings and functions. */
// biome-ignore lint/suspicious/noExplicitAny: the application knows its driver
export function connect(path: string, options?: Pick<OpenOptions, 'driver' | 'extensionPath'>): any;

/**
 * Load honker's functions into a connection that the application has opened, and create honker's tables.
 *
 * Afterwards the connection may be the `tx` of an operation. Returns the connection.
 */
export function load<C extends object>(connection: C, options?: { extensionPath?: string }): C;

/** The path of the library that would be loaded. */
export function extensionPath(explicit?: string): string;

export { UpdateEvents as NativeUpdateEvents } from './core/index.js';
export { Database as NativeDatabase, Transaction as NativeTransaction };
export const native: { NativeDatabase: typeof Database; open: typeof open };
