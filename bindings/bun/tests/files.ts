import { afterEach } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as honker from '../src/index';

const ends: (() => void)[] = [];

afterEach(() => {
  while (ends.length > 0) ends.pop()?.();
});

/** Run `end` after the test, before those that were added earlier. */
export function after(end: () => void): void {
  ends.push(end);
}

/** A path for a database of one test, whose folder is removed after it. */
export function databasePath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'honker-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'app.db');
}

/** An open database of one test. */
export function openDatabase(): honker.Database {
  const db = honker.open(databasePath());
  after(() => db.close());
  return db;
}

/** Wait until `predicate` holds. */
export async function waitUntil(predicate: () => boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!predicate()) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${predicate}`);
    await Bun.sleep(2);
  }
}
