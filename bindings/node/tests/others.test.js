const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { test } = require('node:test');
const { Handle } = require('../lib/core/handle.js');
const { databasePath, honker, openDatabase, waitUntil } = require('./files.js');

const PACKAGE = path.resolve(__dirname, '..');

test('open takes its options by position, and refuses those that are wrong', (t) => {
  const file = databasePath(t);
  honker.open(file, 8, 'polling', 5).close();
  honker.open(file, { maxReaders: 2, watcherBackend: null }).close();
  assert.throws(() => honker.open(file, 8, 'bogus'), { code: /HONKER/, message: /unknown watcher backend/ });
  assert.throws(() => honker.open(file, { watcherPollIntervalMs: 0 }), /must be positive/);
  assert.throws(() => honker.open(''), honker.InvalidArgumentError);
  assert.throws(() => honker.open(':memory:'), honker.InvalidArgumentError);
  assert.throws(() => honker.open(path.join(file, 'no', 'folder')), Error);
  assert.throws(() => honker.open(file, { extensionPath: '/no/library.so' }), /there is no file/);
  assert.throws(() => honker.open(file, { driver: 'sqlite' }), honker.InvalidArgumentError);
});

test('every name can be imported by an ECMAScript module', () => {
  const program = `
    import * as names from '@russellthehippo/honker-node';
    import honker from '@russellthehippo/honker-node';
    console.log(Object.keys(honker).filter((name) => names[name] !== honker[name]).join());`;
  const args = ['--input-type=module', '--eval', program];
  const done = spawnSync(process.execPath, args, { cwd: PACKAGE, encoding: 'utf8' });
  assert.deepEqual([done.status, done.stdout.trim()], [0, '']);
});

test('the connections have the documented settings', (t) => {
  const db = openDatabase(t);
  const pragma = (name) => Object.values(db.query(`PRAGMA ${name}`)[0])[0];
  const names = ['journal_mode', 'synchronous', 'busy_timeout', 'foreign_keys', 'cache_size', 'wal_autocheckpoint'];
  assert.deepEqual(names.map(pragma), ['wal', 1, 5000, 1, -32000, 10000]);
});

test('an error carries its code, its cause and the hint of the engine', (t) => {
  const queue = openDatabase(t).queue('');
  assert.throws(
    () => queue.enqueue(1),
    (error) => {
      assert.ok(error instanceof honker.InvalidArgumentError && error instanceof honker.HonkerError);
      assert.ok(error instanceof Error && error.cause instanceof Error);
      assert.match(error.message, /^HONKER_INVALID_ARGUMENT: queue is empty/);
      return !error.isRetryable;
    },
  );
});

test('a connection without honker is named in the error', (t) => {
  const db = openDatabase(t);
  const bare = Object.getPrototypeOf(db.raw()).constructor;
  const connection = new bare(db.path);
  t.after(() => connection.close());
  assert.throws(() => db.queue('q').enqueue(1, { tx: connection }), /call load\(connection\) first/);
});

test('another process that holds the write lock is HONKER_BUSY, and a waiting claim outlasts it', async (t) => {
  const db = openDatabase(t);
  const queue = db.queue('q');
  queue.enqueue(1);
  const other = honker.connect(db.path);
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const waiting = queue.claimWaker().next('w');
  let ticks = 0;
  const ticking = setInterval(() => {
    ticks += 1;
  }, 5);
  await waitUntil(() => ticks >= 5);
  clearInterval(ticking);
  db.raw().exec('PRAGMA busy_timeout = 1');
  assert.throws(() => queue.enqueue(2), { name: 'BusyError', isRetryable: true });
  other.exec('COMMIT');
  assert.equal((await waiting).payload, 1);
});

test('a failure that may pass is a warning and tried again, and another one is thrown', async (t) => {
  const connection = { exec() {}, one() {}, close() {} };
  const handle = new Handle({ connect: () => connection, watch() {} }, 'app.db');
  t.after(() => handle.close());
  const failing = (code) => {
    const errors = [new honker.DiskError(`${code}: once`, { code })];
    return () => {
      if (errors.length > 0) throw errors.pop();
      return 'done';
    };
  };
  const warned = once(process, 'warning');
  assert.equal(await handle.patiently(failing('HONKER_FULL'), undefined, { persists: true }), 'done');
  assert.match((await warned)[0].message, /HONKER_FULL: once/);
  await assert.rejects(handle.patiently(failing('HONKER_FULL')), honker.DiskError);
  await assert.rejects(handle.patiently(failing('HONKER_CORRUPT'), undefined, { persists: true }), honker.DiskError);
});

test('a lock is released once, and its token grows', (t) => {
  const db = openDatabase(t);
  const first = db.tryLock('l', 'a', 60);
  assert.equal(db.tryLock('l', 'b', 60), null);
  const token = first.token();
  assert.equal(first.release(), true);
  assert.equal(first.release(), false);
  assert.equal(first.heartbeat(60), false);
  assert.ok(db.tryLock('l', 'b').token() > token);
});

test('notifications are pruned, and a negative count is refused', (t) => {
  const db = openDatabase(t);
  for (const n of [1, 2, 3]) db.notify('c', n);
  assert.throws(() => db.pruneNotifications(undefined, -1), /maxKeep must not be negative/);
  assert.equal(db.pruneNotifications(), 0);
  assert.equal(db.pruneNotifications(null, 1), 2);
});

test('cron is another name of schedule, and absent changes leave a schedule alone', (t) => {
  const scheduler = openDatabase(t).scheduler();
  scheduler.add({ name: 'a', queue: 'q', cron: '0 3 * * *', payload: { n: 1 }, expiresS: 60 });
  assert.equal(scheduler.update('a', { cron: '@every 5s', payload: null }), true);
  const [schedule] = scheduler.list();
  assert.deepEqual([schedule.cron_expr, schedule.payload, schedule.expires_s], ['@every 5s', 'null', 60]);
  assert.equal(scheduler.update('a', { expiresS: null }), true);
  assert.equal(scheduler.list()[0].expires_s, null);
  assert.equal(scheduler.update('a', {}), false);
  assert.throws(() => scheduler.add({ name: 'b', queue: 'q', cron: '* * * * *', schedule: '* * * * *' }), /two names/);
  assert.equal(scheduler.tick(scheduler.soonest()).length, 1);
});

test('a standby takes the lead when the leader ends', async (t) => {
  const db = openDatabase(t);
  const other = honker.open(db.path);
  t.after(() => other.close());
  const [first, second] = [new AbortController(), new AbortController()];
  const leading = db.scheduler().run('a', first.signal);
  const holder = () => db.query("SELECT json_extract(honker_lock_list(NULL, 9), '$.locks[0].owner') AS owner")[0].owner;
  await waitUntil(() => holder() === 'a');
  const standing = other.scheduler().run({ owner: 'b', signal: second.signal });
  first.abort();
  await leading;
  await waitUntil(() => holder() === 'b');
  second.abort();
  await standing;
  assert.equal(holder(), null);
});

test('an outbox awaits its delivery, and hands out the job', async (t) => {
  const db = openDatabase(t);
  const seen = [];
  const stop = new AbortController();
  const outbox = db.outbox(
    'mail',
    async (payload, job) => {
      await new Promise(setImmediate);
      seen.push([payload, job.attempts]);
      if (job.attempts === 1) throw new Error('refused');
      stop.abort();
    },
    { baseBackoffS: 0 },
  );
  outbox.enqueue({ n: 1 });
  await outbox.runWorker('w', { signal: stop.signal });
  assert.deepEqual(seen, [
    [{ n: 1 }, 1],
    [{ n: 1 }, 2],
  ]);
  assert.equal(outbox.queue.claimOne('w'), null);
  assert.throws(() => db.outbox('mail', 'no function'), honker.InvalidArgumentError);
});

test('a program that does not close the database ends', (t) => {
  const program = `
    const db = require(${JSON.stringify(PACKAGE)}).open(${JSON.stringify(databasePath(t))});
    const queue = db.queue('q');
    queue.claimWaker({ idlePollS: null }).next('w').then((job) => console.log(job.payload));
    setTimeout(() => queue.enqueue('seen'), 20);`;
  const done = spawnSync(process.execPath, ['--eval', program], { encoding: 'utf8', timeout: 20_000 });
  assert.deepEqual([done.status, done.stdout.trim()], [0, 'seen']);
});

test('the job of a worker that was killed runs again after its lease', async (t) => {
  const db = openDatabase(t);
  const queue = db.queue('q', { visibilityTimeoutS: 1 });
  const program = `
    const db = require(${JSON.stringify(PACKAGE)}).open(${JSON.stringify(db.path)});
    (async () => {
      for await (const job of db.queue('q', { visibilityTimeoutS: 1 }).claim('victim')) console.log(job.id);
    })();`;
  const victim = spawn(process.execPath, ['--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const id = queue.enqueue(1);
  const [line] = await once(victim.stdout, 'data');
  victim.kill('SIGKILL');
  assert.equal(Number(line), id);
  const job = await queue.claimWaker({ idlePollS: null }).next('w');
  assert.deepEqual([job.id, job.attempts, job.ack()], [id, 2, true]);
});

test('a thread waits where the system has no descriptors', (t) => {
  const program = `
    const db = require(${JSON.stringify(PACKAGE)}).open(${JSON.stringify(databasePath(t))});
    const queue = db.queue('q');
    queue.claimWaker({ idlePollS: null }).next('w').then((job) => console.log(job.payload));
    setTimeout(() => queue.enqueue('seen'), 50);`;
  const env = { ...process.env, HONKER_NODE_WAIT: 'thread' };
  const done = spawnSync(process.execPath, ['--eval', program], { encoding: 'utf8', env, timeout: 20_000 });
  assert.deepEqual([done.status, done.stdout.trim()], [0, 'seen']);
});
