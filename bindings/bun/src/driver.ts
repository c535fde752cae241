import { type Changes, type SQLQueryBindings, Database as Sqlite, type Statement } from 'bun:sqlite';
import { existsSync } from 'node:fs';

/** Where macOS has a SQLite that loads extensions; Apple's own, which Bun takes, does not. */
const LIBRARIES = [
  '/opt/homebrew/opt/sqlite/lib/libsqlite3.dylib',
  '/usr/local/opt/sqlite/lib/libsqlite3.dylib',
  '/opt/local/lib/libsqlite3.dylib',
];

let chosen: string | null = null;

/**
 * Choose the SQLite of the process, once and before its first connection. On Linux and Windows Bun has its own SQLite,
 * which loads extensions, and ignores the choice.
 */
export function chooseSqlite(path: string | undefined): void {
  const library = path ?? (process.platform === 'darwin' ? LIBRARIES.find((each) => existsSync(each)) : undefined);
  if (library === undefined || library === chosen) return;
  if (!existsSync(library)) throw new TypeError(`sqliteLibPath: there is no file ${library}`);
  Sqlite.setCustomSQLite(library);
  chosen = library;
}

type Value = SQLQueryBindings;

/** A connection of bun:sqlite. */
export class Connection {
  readonly raw: Sqlite;
  // Bun closes a connection only when its statements are finalized; one of the application keeps none of ours.
  readonly #statements: Map<string, Statement> | null;

  constructor(raw: Sqlite, { isOwn }: { isOwn: boolean }) {
    this.raw = raw;
    this.#statements = isOwn ? new Map() : null;
  }

  static open(path: string): Connection {
    return new Connection(new Sqlite(path, { create: true, readwrite: true }), { isOwn: true });
  }

  get isInTransaction(): boolean {
    return this.raw.inTransaction;
  }

  load(library: string): void {
    this.raw.loadExtension(library);
  }

  exec(sql: string): void {
    this.raw.run(sql);
  }

  /** The value of a SELECT, which runs to its end, so that the error of a late COMMIT is seen. */
  one(sql: string, args: Value[]): unknown {
    return this.#with(sql, (statement) => statement.values(...args)[0]?.[0]);
  }

  all(sql: string, params: Value[]): object[] {
    return this.#with(sql, (statement) => statement.all(...params) as object[], { isKept: false });
  }

  run(sql: string, params: Value[]): number {
    const { changes } = this.#with(sql, (statement): Changes => statement.run(...params), { isKept: false });
    return Number(changes);
  }

  #with<R>(sql: string, work: (statement: Statement) => R, { isKept } = { isKept: true }): R {
    const kept = isKept ? this.#statements : null;
    const statement = kept?.get(sql) ?? this.raw.prepare(sql);
    kept?.set(sql, statement);
    try {
      return work(statement);
    } finally {
      if (kept === null) statement.finalize();
    }
  }

  close(): void {
    for (const statement of this.#statements?.values() ?? []) statement.finalize();
    this.raw.close();
  }
}
