const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');
const { databasePath, honker, openDatabase, waitUntil } = require('./files.js');

const NEVER = { idlePollS: null };

/** The commits of the other waits count as updates. */
async function untilItFails(updates) {
  for (;;) await updates.next();
}

test('an iteration over jobs ends when its signal aborts, and takes no job', async (t) => {
  const queue = openDatabase(t).queue('q');
  const stop = new AbortController();
  const jobs = queue.claim('w', { ...NEVER, signal: stop.signal });
  const waiting = jobs.next();
  stop.abort();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  queue.enqueue(1);
  assert.equal(queue.claimOne('w').attempts, 1);
});

test('a signal that has aborted before ends the iteration at once', async (t) => {
  const queue = openDatabase(t).queue('q');
  queue.enqueue(1);
  for await (const _ of queue.claim('w', { signal: AbortSignal.abort() })) assert.fail('a job was claimed');
  assert.equal(await queue.claimWaker().next('w', { signal: AbortSignal.abort() }), null);
});

test('break ends the iteration, and a next that waits beside it is done', async (t) => {
  const queue = openDatabase(t).queue('q');
  queue.enqueue(1);
  const jobs = queue.claim('w', NEVER);
  for await (const job of jobs) {
    job.ack();
    break;
  }
  assert.equal((await jobs.next()).done, true);
  const waiting = queue.claim('w', NEVER);
  const next = waiting.next();
  await waiting.return();
  assert.equal((await next).done, true);
});

test('closing the database ends every wait with ClosedError', async (t) => {
  const db = openDatabase(t);
  const waits = [
    db.queue('q').claim('w', NEVER).next(),
    db.queue('q').claimWaker(NEVER).next('w'),
    db.listen('c', { fallbackPollS: null }).next(),
    db.stream('s').subscribe('c').next(),
    db.waitResult(1),
    untilItFails(db.updateEvents()),
    db.scheduler().run('me'),
  ];
  const settled = Promise.allSettled(waits);
  await new Promise((resolve) => setTimeout(resolve, 20));
  db.close();
  db.close();
  for (const { reason } of await settled)
    assert.deepEqual([reason?.name, reason?.code], ['ClosedError', 'HONKER_CLOSED']);
});

test('every operation after close throws ClosedError', (t) => {
  const db = openDatabase(t);
  const queue = db.queue('q');
  queue.enqueue(1);
  const job = queue.claimOne('w');
  db.close();
  const calls = [
    () => job.ack(),
    () => queue.claim('w'),
    () => queue.claimWaker(),
    () => db.transaction(),
    () => db.query('SELECT 1'),
    () => db.listen('c'),
    () => db.stream('s').publish(1),
    () => db.updateEvents(),
    () => db.raw(),
  ];
  for (const call of calls) assert.throws(call, honker.ClosedError);
});

test('closing a waker ends its waits with ClosedError', async (t) => {
  const waker = openDatabase(t).queue('q').claimWaker(NEVER);
  const waiting = waker.next('w');
  waker.close();
  waker.close();
  await assert.rejects(waiting, honker.ClosedError);
  await assert.rejects(waker.next('w'), honker.ClosedError);
});

test('a waiting claim leaves a transaction of the same handle alone, and goes on after it', async (t) => {
  const db = openDatabase(t);
  const queue = db.queue('q');
  const waiting = queue.claimWaker(NEVER).next('w');
  const tx = db.transaction();
  queue.enqueueTx(tx, 'late');
  await new Promise((resolve) => setTimeout(resolve, 30));
  tx.commit();
  assert.equal((await waiting).payload, 'late');
});

test('a loop over jobs that are there lets timers run', async (t) => {
  const queue = openDatabase(t).queue('q');
  queue.enqueueMany(Array.from({ length: 3000 }, (_, index) => index));
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 20);
  let done = 0;
  for await (const job of queue.claim('w', { signal: stop.signal })) {
    job.ack();
    done += 1;
  }
  assert.ok(done > 0 && done < 3000, `${done} jobs were done before the timer`);
});

test('closing a listener ends it without an error', async (t) => {
  const db = openDatabase(t);
  const listener = db.listen('c');
  db.notify('c', 1);
  assert.deepEqual((await listener.next()).value.payload, 1);
  const waiting = listener.next();
  listener.close();
  listener.close();
  assert.equal((await waiting).done, true);
});

test('a subscription saves the offset of the last event that is done', async (t) => {
  const stream = openDatabase(t).stream('s');
  for (const n of [1, 2, 3]) stream.publish(n);
  for await (const event of stream.subscribe('c')) if (event.payload === 3) break;
  assert.equal(stream.getOffset('c'), 2);
});

test('a subscription saves after so many events, and after so many seconds', async (t) => {
  const stream = openDatabase(t).stream('s');
  for (const n of [1, 2, 3]) stream.publish(n);
  const counted = stream.subscribe('counted', { saveEveryN: 2, saveEveryS: 0 });
  for (let n = 0; n < 3; n += 1) await counted.next();
  assert.equal(stream.getOffset('counted'), 2);
  const timed = stream.subscribe('timed', { saveEveryN: 0, saveEveryS: 0.05 });
  for (let n = 0; n < 3; n += 1) await timed.next();
  const waiting = timed.next();
  await waitUntil(() => stream.getOffset('timed') === 3);
  timed.close();
  await waiting;
});

test('a result that does not come is a WaitTimeoutError', async (t) => {
  const db = openDatabase(t);
  await assert.rejects(db.waitResult(1, { timeoutS: 0.02 }), { name: 'WaitTimeoutError', code: 'HONKER_TIMEOUT' });
  const stop = new AbortController();
  const waiting = db.waitResult(1, { signal: stop.signal });
  stop.abort(new RangeError('enough'));
  await assert.rejects(waiting, RangeError);
});

test('updateEvents tells of a commit, and of a file that was replaced', async (t) => {
  const path = databasePath(t);
  const db = honker.open(path);
  t.after(() => db.close());
  const updates = db.updateEvents();
  const waiting = updates.next();
  db.notify('c', 1);
  await waiting;
  fs.renameSync(path, `${path}.old`);
  fs.writeFileSync(path, '');
  await assert.rejects(untilItFails(updates), { name: 'WatcherError', message: /watcher died/ });
});

test('many signals and waits leave no listeners behind', async (t) => {
  const { getEventListeners } = require('node:events');
  const waker = openDatabase(t).queue('q').claimWaker({ idlePollS: 0.001 });
  const stop = new AbortController();
  const waiting = waker.next('w', { signal: stop.signal });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(getEventListeners(stop.signal, 'abort').length <= 2);
  stop.abort();
  assert.equal(await waiting, null);
  assert.equal(getEventListeners(stop.signal, 'abort').length, 0);
});
