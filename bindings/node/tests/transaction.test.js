const assert = require('node:assert/strict');
const { test } = require('node:test');
const { databasePath, honker, openDatabase } = require('./files.js');

function withOrders(t) {
  const db = openDatabase(t);
  db.query('CREATE TABLE orders (n INTEGER)');
  return db;
}

const count = (db) => db.query('SELECT count(*) AS n FROM orders')[0].n;

test('commit and rollback may be repeated after the end', (t) => {
  const db = withOrders(t);
  const tx = db.transaction();
  assert.equal(tx.execute('INSERT INTO orders VALUES (?), (?)', [1, 2]), 2);
  tx.commit();
  tx.commit();
  tx.rollback();
  assert.equal(tx.done, true);
  assert.equal(count(db), 2);
});

test('a transaction that has ended is closed', (t) => {
  const db = withOrders(t);
  const tx = db.transaction();
  tx.rollback();
  assert.throws(() => tx.execute('INSERT INTO orders VALUES (1)'), { code: 'HONKER_CLOSED' });
  assert.throws(() => db.queue('q').enqueue(1, { tx }), { code: 'HONKER_CLOSED' });
});

test('a call without tx beside an open transaction fails at once', (t) => {
  const db = openDatabase(t);
  const queue = db.queue('q');
  const tx = db.transaction();
  const began = performance.now();
  assert.throws(() => queue.enqueue(1), { code: 'HONKER_BUSY', message: /pass it as tx/ });
  assert.ok(performance.now() - began < 2000, 'it waited for the busy timeout');
  queue.enqueue(2, { tx });
  tx.commit();
  assert.equal(queue.enqueue(3), 2);
});

test('a second transaction of the handle fails at once', (t) => {
  const db = openDatabase(t);
  const tx = db.transaction();
  assert.throws(() => db.transaction(), { code: 'HONKER_BUSY', message: /withTransaction/ });
  tx.rollback();
  db.transaction().rollback();
});

test('withTransaction commits the value, and rolls back what throws', async (t) => {
  const db = withOrders(t);
  const queue = db.queue('q');
  assert.equal(await db.withTransaction((tx) => queue.enqueueTx(tx, 1)), 1);
  const failing = db.withTransaction(async (tx) => {
    tx.execute('INSERT INTO orders VALUES (1)');
    queue.enqueueTx(tx, 2);
    throw new RangeError('no');
  });
  await assert.rejects(failing, RangeError);
  assert.equal(count(db), 0);
  assert.equal(queue.claimBatch('w', 9).length, 1);
});

test('transactions of one handle take turns', async (t) => {
  const db = withOrders(t);
  const add = (n) =>
    db.withTransaction(async (tx) => {
      const [{ sum }] = tx.query('SELECT coalesce(sum(n), 0) AS sum FROM orders');
      await new Promise(setImmediate);
      tx.execute('INSERT INTO orders VALUES (?)', [n]);
      return sum;
    });
  const sums = await Promise.all([1, 2, 4, 8].map(add));
  assert.deepEqual(
    [...sums].sort((a, b) => a - b),
    [0, 1, 3, 7],
  );
});

test('a commit that a deferred foreign key refuses leaves the transaction open', (t) => {
  const db = openDatabase(t);
  db.query('CREATE TABLE a (id INTEGER PRIMARY KEY)');
  db.query('CREATE TABLE b (a REFERENCES a DEFERRABLE INITIALLY DEFERRED)');
  const tx = db.transaction();
  tx.execute('INSERT INTO b VALUES (1)');
  assert.throws(() => tx.commit(), honker.ConstraintError);
  tx.execute('INSERT INTO a VALUES (1)');
  tx.commit();
  assert.equal(db.query('SELECT count(*) AS n FROM b')[0].n, 1);
});

test('a statement after a COMMIT of the application does not commit by itself', (t) => {
  const db = withOrders(t);
  const tx = db.transaction();
  tx.execute('COMMIT');
  assert.throws(() => tx.execute('INSERT INTO orders VALUES (1)'), /ended the transaction/);
  tx.rollback();
  assert.equal(count(db), 0);
});

test('a transaction of another file is refused', (t) => {
  const tx = openDatabase(t).transaction();
  t.after(() => tx.rollback());
  assert.throws(() => openDatabase(t).queue('q').enqueue(1, { tx }), honker.InvalidArgumentError);
});

test('a forgotten transaction is rolled back by close', (t) => {
  const path = databasePath(t);
  const db = honker.open(path);
  const tx = db.transaction();
  db.queue('q').enqueue(1, { tx });
  db.close();
  assert.equal(tx.done, true);
  tx.commit();
  const again = honker.open(path);
  assert.equal(again.queue('q').claimOne('w'), null);
  again.close();
});

test("an operation is part of the transaction of the application's own connection", (t) => {
  const db = withOrders(t);
  const own = honker.load(honker.connect(db.path));
  t.after(() => own.close());
  const queue = db.queue('q');
  own.exec('BEGIN');
  own.exec('INSERT INTO orders VALUES (1)');
  queue.enqueue('lost', { tx: own });
  own.exec('ROLLBACK');
  own.exec('BEGIN');
  queue.enqueue('kept', { tx: own });
  own.exec('COMMIT');
  assert.equal(count(db), 0);
  assert.deepEqual(
    queue.claimBatch('w', 9).map((job) => job.payload),
    ['kept'],
  );
});

test('tx of another kind is refused', (t) => {
  const queue = openDatabase(t).queue('q');
  assert.throws(() => queue.enqueue(1, { tx: {} }), honker.InvalidArgumentError);
});

test('parameters keep their types, and rows are plain objects', (t) => {
  const db = openDatabase(t);
  const tx = db.transaction();
  const values = [1, 1.5, 'a', null, true, 2n ** 60n, Buffer.from([0, 255]), { a: [1] }, new Date(0)];
  const [row] = tx.query(
    'SELECT ? AS i, ? AS r, ? AS t, ? AS n, ? AS b, ? AS big, ? AS blob, ? AS json, ? AS at',
    values,
  );
  tx.rollback();
  assert.deepEqual(row, {
    i: 1,
    r: 1.5,
    t: 'a',
    n: null,
    b: 1,
    big: 2n ** 60n,
    blob: '00ff',
    json: '{"a":[1]}',
    at: '1970-01-01T00:00:00.000Z',
  });
});
