const assert = require('node:assert/strict');
const { test } = require('node:test');
const { honker, openDatabase } = require('./files.js');

test('a job keeps every JSON value, with NUL, an emoji and a megabyte of text', (t) => {
  const queue = openDatabase(t).queue('q');
  const payloads = [null, true, 0.1, 'a\0b', '😀', { n: [1, null] }, 'x'.repeat(1_000_000)];
  queue.enqueueMany(payloads);
  assert.deepEqual(
    queue.claimBatch('w', 10).map((job) => job.payload),
    payloads,
  );
});

test('many jobs get every option, all or none', (t) => {
  const db = openDatabase(t);
  const queue = db.queue('q');
  const options = { runAt: 1000, priority: 5, expires: 60, maxAttempts: 7, key: 'k' };
  const ids = queue.enqueueMany([1, 2], options);
  const row = queue.getJob(ids[1]);
  assert.deepEqual([row.run_at, row.priority, row.max_attempts], [1000, 5, 7]);
  assert.notEqual(row.expires_at, null);
  assert.deepEqual(queue.enqueueMany([3, 4], { uniqueKey: 'u' }).length, 2);
  assert.equal(queue.claimBatch('w', 9).length, 3);
  assert.throws(() => queue.enqueueMany([5], { onConflict: 'raise' }), { code: 'HONKER_INVALID_ARGUMENT' });
  const tx = db.transaction();
  queue.enqueueMany([6], { tx });
  tx.rollback();
  assert.equal(queue.claimOne('w'), null);
});

test('an option that is null is not given', (t) => {
  const queue = openDatabase(t).queue('q');
  const none = {
    uniqueKey: null,
    onConflict: null,
    debounceMaxS: null,
    after: null,
    onParentFailure: null,
    runAt: null,
  };
  queue.enqueue(1, none);
  queue.enqueueMany([2], none);
  assert.equal(queue.claimBatch('w', 9).length, 2);
});

test('undefined is null, as inside an array', (t) => {
  const queue = openDatabase(t).queue('q');
  queue.enqueue(undefined);
  assert.equal(queue.claimOne('w').payload, null);
});

test('a payload without a JSON form is refused and nothing is stored', (t) => {
  const queue = openDatabase(t).queue('q');
  const circular = {};
  circular.self = circular;
  for (const payload of [circular, () => {}, 10n]) {
    assert.throws(() => queue.enqueue(payload), { code: 'HONKER_INVALID_ARGUMENT' });
  }
  assert.equal(queue.claimOne('w'), null);
});

test('whole numbers reach SQLite as integers and fractions as reals', (t) => {
  const db = openDatabase(t);
  const queue = db.queue('q');
  queue.enqueue(1, { runAt: 1000 });
  queue.enqueue(2, { runAt: 1000.5 });
  const at = queue
    .claimBatch('w', 2)
    .map((job) => db.query('SELECT json_extract(honker_get_job(?), ?) AS at', [job.id, '$.run_at'])[0].at);
  assert.deepEqual(at, [1000, 1000.5]);
});

test('a number that is not finite is refused', (t) => {
  const queue = openDatabase(t).queue('q');
  assert.throws(() => queue.enqueue(1, { delay: Number.NaN }), honker.InvalidArgumentError);
  assert.throws(() => queue.enqueue(1, { delay: Number.POSITIVE_INFINITY }), honker.InvalidArgumentError);
  assert.throws(() => queue.claimBatch('w', Number.NaN), honker.InvalidArgumentError);
});

test('only the holder of the attempt settles it', (t) => {
  const queue = openDatabase(t).queue('q');
  queue.enqueue(1);
  const first = queue.claimOne('w');
  first.retry(0, 'again');
  const second = queue.claimOne('w');
  assert.equal(second.attempts, 2);
  assert.equal(first.ack(), false);
  assert.equal(second.ack(), true);
});

test('a retry without a message is accepted', (t) => {
  const queue = openDatabase(t).queue('q');
  queue.enqueue(1);
  assert.equal(queue.claimOne('w').retry(0, null), true);
  assert.equal(queue.claimOne('w').retry(), true);
});

test('a released job keeps its attempts', (t) => {
  const queue = openDatabase(t).queue('q');
  queue.enqueue(1);
  assert.equal(queue.claimOne('w').release(), true);
  assert.equal(queue.claimOne('w').attempts, 1);
});

test('a queue acts on its own jobs only', (t) => {
  const db = openDatabase(t);
  const id = db.queue('a').enqueue(1);
  assert.equal(db.queue('b').cancel(id), false);
  assert.equal(db.queue('b').getJob(id), null);
  assert.equal(db.queue('a').getJob(id).state, 'pending');
  assert.equal(db.queue('a').cancel(id), true);
});

test('a unique key gives the id of the job that has it, or raises', (t) => {
  const queue = openDatabase(t).queue('q');
  const id = queue.enqueue(1, { uniqueKey: 'k' });
  assert.equal(queue.enqueue(2, { uniqueKey: 'k' }), id);
  assert.throws(() => queue.enqueue(3, { uniqueKey: 'k', onConflict: 'raise' }), honker.UniqueKeyTakenError);
});

test('a dead letter is requeued', (t) => {
  const queue = openDatabase(t).queue('q');
  const id = queue.enqueue(1);
  queue.claimOne('w').fail('broken');
  assert.equal(queue.requeue(id), true);
  assert.equal(queue.claimOne('w').id, id);
});

test('a paused queue hands out nothing', (t) => {
  const queue = openDatabase(t).queue('q');
  queue.enqueue(1);
  assert.equal(queue.pause(), true);
  assert.equal(queue.claimOne('w'), null);
  assert.equal(queue.resume(), true);
  assert.notEqual(queue.claimOne('w'), null);
});
