import { Database as Sqlite } from 'bun:sqlite';
import { expect, test } from 'bun:test';
import * as honker from '../src/index';
import { after, databasePath, openDatabase } from './files';

/** The error that `call` throws. */
function errorOf(call: () => unknown): honker.HonkerError {
  try {
    call();
  } catch (error) {
    return error as honker.HonkerError;
  }
  throw new Error('it threw nothing');
}

test('open takes the library as its second argument, or options', () => {
  const path = databasePath();
  const library = process.env.HONKER_EXTENSION_PATH;
  honker.open(path, library, { watcherBackend: 'polling', watcherPollIntervalMs: 5 }).close();
  honker.open(path, { watcherBackend: 'polling' }).close();
  expect(errorOf(() => honker.open(path, '/no/library.so')).message).toContain('there is no file');
  expect(errorOf(() => honker.open(path, null, { watcherBackend: 'bogus' })).message).toContain(
    'unknown watcher backend',
  );
  expect(errorOf(() => honker.open(path, { watcherPollIntervalMs: 0 })).message).toContain('must be positive');
  expect(errorOf(() => honker.open(':memory:')).code).toBe('HONKER_INVALID_ARGUMENT');
});

test('the connections have the documented settings', () => {
  const { raw } = openDatabase();
  const pragma = (name: string) => raw.query(`PRAGMA ${name}`).values()[0]?.[0];
  const names = ['journal_mode', 'synchronous', 'busy_timeout', 'foreign_keys', 'cache_size', 'wal_autocheckpoint'];
  expect(names.map(pragma)).toEqual(['wal', 1, 5000, 1, -32000, 10000]);
});

test('a job keeps every JSON value, with NUL, an emoji and a megabyte of text', () => {
  const queue = openDatabase().queue('q');
  const payloads = [null, true, 0.1, 'a\0b', '😀', { n: [1, null] }, 'x'.repeat(1_000_000)];
  queue.enqueueMany(payloads);
  expect(queue.claimBatch('w', 10).map((job) => job.payload)).toEqual(payloads);
});

test('an error carries its code and its cause', () => {
  const error = errorOf(() => openDatabase().queue('').enqueue(1));
  expect(error).toBeInstanceOf(honker.InvalidArgumentError);
  expect(error.cause).toBeInstanceOf(Error);
  expect([error.code, error.isRetryable]).toEqual(['HONKER_INVALID_ARGUMENT', false]);
});

test('query of a transaction gives the first row or null, and its end may be repeated', () => {
  const db = openDatabase();
  const tx = db.transaction();
  tx.execute('CREATE TABLE orders (n INTEGER)');
  expect(tx.query('SELECT n FROM orders')).toBeNull();
  expect(tx.execute('INSERT INTO orders VALUES (?), (?)', [1, 2])).toBe(2);
  expect(tx.query('SELECT n, typeof(n) AS type FROM orders')).toEqual({ n: 1, type: 'integer' });
  expect(tx.raw).toBeInstanceOf(Sqlite);
  tx.commit();
  tx.commit();
  tx.rollback();
  expect(tx.done).toBe(true);
  expect(errorOf(() => tx.execute('DELETE FROM orders')).code).toBe('HONKER_CLOSED');
});

test('a call without tx beside an open transaction fails at once', () => {
  const db = openDatabase();
  const queue = db.queue('q');
  const tx = db.transaction();
  const began = performance.now();
  expect(errorOf(() => queue.enqueue(1)).message).toContain('pass it as tx');
  expect(errorOf(() => db.transaction()).code).toBe('HONKER_BUSY');
  expect(performance.now() - began).toBeLessThan(2000);
  queue.enqueue(2, { tx });
  tx.rollback();
  expect(queue.claimOne('w')).toBeNull();
});

test('withTransaction rolls back what throws, and takes turns', async () => {
  const db = openDatabase();
  const queue = db.queue('q');
  const failing = db.withTransaction((tx) => {
    queue.enqueue('lost', { tx });
    throw new RangeError('no');
  });
  expect(failing).rejects.toBeInstanceOf(RangeError);
  const add = (n: number) =>
    db.withTransaction(async (tx) => {
      await Bun.sleep(1);
      return queue.enqueueTx(tx, n);
    });
  await Promise.all([1, 2, 3].map(add));
  expect(queue.claimBatch('w', 9).map((job) => job.payload)).toEqual([1, 2, 3]);
});

test("an operation is part of the transaction of the application's own connection", () => {
  const db = openDatabase();
  const queue = db.queue('q');
  const own = honker.load(new Sqlite(db.path));
  after(() => own.close(true));
  const enqueue = own.transaction((payload: string, isKept: boolean) => {
    queue.enqueue(payload, { tx: own });
    if (!isKept) throw new Error('no');
  });
  expect(() => enqueue('lost', false)).toThrow('no');
  enqueue('kept', true);
  expect(queue.claimBatch('w', 9).map((job) => job.payload)).toEqual(['kept']);
});

test('a connection without honker is named in the error', () => {
  const db = openDatabase();
  const bare = new Sqlite(db.path);
  after(() => bare.close());
  expect(errorOf(() => db.queue('q').enqueue(1, { tx: bare })).message).toContain('call load(connection) first');
  expect(errorOf(() => db.queue('q').enqueue(1, { tx: {} })).code).toBe('HONKER_INVALID_ARGUMENT');
});

test('close finalizes its statements, so that the file has no write-ahead log left', async () => {
  const path = databasePath();
  const db = honker.open(path);
  db.queue('q').enqueue(1);
  await db.queue('q').claimWaker().next('w');
  db.transaction();
  db.close();
  expect(await Bun.file(`${path}-wal`).exists()).toBe(false);
});

test('a lock is released once', () => {
  const db = openDatabase();
  const lock = db.tryLock('l', 'a', 60);
  expect(db.tryLock('l', 'b', 60)).toBeNull();
  expect([lock?.release(), lock?.release(), lock?.released, lock?.heartbeat(5)]).toEqual([true, false, true, false]);
});

test('cron is another name of schedule', () => {
  const scheduler = openDatabase().scheduler();
  scheduler.add({ name: 'a', queue: 'q', cron: '0 3 * * *', payload: { n: 1 } });
  expect(scheduler.update('a', { cron: '@every 5s' })).toBe(true);
  expect(scheduler.list()[0]?.cron_expr).toBe('@every 5s');
  expect(scheduler.tick(scheduler.soonest())).toHaveLength(1);
});

test('an event has created_at, and a key if it was given', () => {
  const db = openDatabase();
  const stream = db.stream('s');
  const tx = db.transaction();
  stream.publishTx(tx, 1, 'k');
  tx.commit();
  stream.publishWithKey('l', 2);
  const events = stream.readFromConsumer('c', 10);
  expect(events.map(({ key, payload }) => [key, payload])).toEqual([
    ['k', 1],
    ['l', 2],
  ]);
  expect(events[0]?.created_at).toBeGreaterThan(1e9);
});
