/** The base of every error of honker. `code` is stable; `cause` is the error of the driver, if there is one. */
class HonkerError extends Error {
  constructor(message, { code = 'HONKER_SQLITE', cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = this.constructor.name;
    this.code = code;
  }

  /** True if the same call may succeed later. */
  get isRetryable() {
    return RETRYABLE.has(this.code);
  }
}

class BusyError extends HonkerError {}
class ConstraintError extends HonkerError {}
class CorruptError extends HonkerError {}
class DiskError extends HonkerError {}
class InterruptedError extends HonkerError {}
class InvalidArgumentError extends HonkerError {}
class LoadError extends HonkerError {}
class ReadOnlyError extends HonkerError {}
class SchemaError extends HonkerError {}
class UniqueKeyTakenError extends HonkerError {}
class UnknownParentError extends HonkerError {}
class WatcherError extends HonkerError {}

/** The database, or the object that was used, is closed. */
class ClosedError extends HonkerError {
  constructor(message = 'the database is closed') {
    super(message, { code: 'HONKER_CLOSED' });
  }
}

/** The time of a wait is over. */
class WaitTimeoutError extends HonkerError {
  constructor(message) {
    super(message, { code: 'HONKER_TIMEOUT' });
  }
}

const RETRYABLE = new Set(['HONKER_BUSY', 'HONKER_FULL', 'HONKER_INTERRUPTED', 'HONKER_IO']);

// The codes of reference.yaml. One that is missing here, of a newer engine, is a plain HonkerError.
const CLASSES = {
  HONKER_BUSY: BusyError,
  HONKER_CANTOPEN: DiskError,
  HONKER_CONSTRAINT: ConstraintError,
  HONKER_CORRUPT: CorruptError,
  HONKER_FULL: DiskError,
  HONKER_INTERRUPTED: InterruptedError,
  HONKER_INVALID_ARGUMENT: InvalidArgumentError,
  HONKER_IO: DiskError,
  HONKER_MALFORMED_ROW: CorruptError,
  HONKER_NAME_TAKEN: LoadError,
  HONKER_NOT_BOOTSTRAPPED: SchemaError,
  HONKER_READ_ONLY: ReadOnlyError,
  HONKER_SCHEMA_TOO_NEW: SchemaError,
  HONKER_SQLITE_TOO_OLD: LoadError,
  HONKER_TWO_SQLITES: LoadError,
  HONKER_UNIQUE_KEY_TAKEN: UniqueKeyTakenError,
  HONKER_UNKNOWN_PARENT: UnknownParentError,
  HONKER_WATCHER: WatcherError,
};

const CODE = /^(HONKER_[A-Z_]+): /;

// SQLite's primary result codes, by number and by name.
const RESULTS = [
  [5, 'SQLITE_BUSY', 'HONKER_BUSY'],
  [6, 'SQLITE_LOCKED', 'HONKER_BUSY'],
  [8, 'SQLITE_READONLY', 'HONKER_READ_ONLY'],
  [9, 'SQLITE_INTERRUPT', 'HONKER_INTERRUPTED'],
  [10, 'SQLITE_IOERR', 'HONKER_IO'],
  [11, 'SQLITE_CORRUPT', 'HONKER_CORRUPT'],
  [13, 'SQLITE_FULL', 'HONKER_FULL'],
  [14, 'SQLITE_CANTOPEN', 'HONKER_CANTOPEN'],
  [19, 'SQLITE_CONSTRAINT', 'HONKER_CONSTRAINT'],
  [26, 'SQLITE_NOTADB', 'HONKER_CORRUPT'],
];

/** The code of an error of a driver: better-sqlite3 and bun:sqlite name the result, node:sqlite numbers it. */
function codeOf(error) {
  const named = CODE.exec(error.message);
  if (named) return named[1];
  const number = (error.errcode ?? error.errno ?? 0) & 0xff;
  const name = String(error.code ?? '');
  const found = RESULTS.find((each) => each[0] === number || name === each[1] || name.startsWith(`${each[1]}_`));
  return found ? found[2] : 'HONKER_SQLITE';
}

/** Make an error of honker. */
function errorOf(code, message, cause) {
  const Class = CLASSES[code] ?? HonkerError;
  return new Class(message, { code, cause });
}

/** Translate the error of a driver; other errors, as a TypeError, pass unchanged. */
function translate(error) {
  if (!(error instanceof Error) || error instanceof HonkerError) return error;
  const isOfSqlite = CODE.test(error.message) || /SQLITE/i.test(`${error.code} ${error.name}`);
  return isOfSqlite ? errorOf(codeOf(error), error.message, error) : error;
}

function invalid(message, cause) {
  return errorOf('HONKER_INVALID_ARGUMENT', message, cause);
}

module.exports = {
  BusyError,
  ClosedError,
  ConstraintError,
  CorruptError,
  DiskError,
  HonkerError,
  InterruptedError,
  InvalidArgumentError,
  LoadError,
  ReadOnlyError,
  SchemaError,
  UniqueKeyTakenError,
  UnknownParentError,
  WaitTimeoutError,
  WatcherError,
  errorOf,
  invalid,
  translate,
};
