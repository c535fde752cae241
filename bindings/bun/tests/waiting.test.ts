import { expect, test } from 'bun:test';
import { renameSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as honker from '../src/index';
import { databasePath, openDatabase, waitUntil } from './files';

const NEVER = { idlePollS: null };
const PACKAGE = resolve(import.meta.dir, '..', 'src', 'index.ts');

test('a wait ends when its signal aborts, and takes no job', async () => {
  const queue = openDatabase().queue('q');
  const stop = new AbortController();
  const waiting = queue.claimWaker(NEVER).next('w', { signal: stop.signal });
  stop.abort();
  expect(await waiting).toBeNull();
  queue.enqueue(1);
  expect(queue.claimOne('w')?.attempts).toBe(1);
});

test('a listener ends by its signal and by close', async () => {
  const db = openDatabase();
  const stop = new AbortController();
  const listening = db.listen('c', { signal: stop.signal });
  db.notify('c', { n: 1 });
  expect((await listening.next()).value?.payload).toEqual({ n: 1 });
  const waiting = listening.next();
  stop.abort();
  expect(await waiting).toEqual({ done: true, value: undefined });
  const other = db.listen('c');
  const next = other.next();
  other.close();
  other.close();
  expect((await next).done).toBe(true);
});

test('closing the database ends every wait with ClosedError', async () => {
  const db = openDatabase();
  const waits = [
    db.queue('q').claimWaker(NEVER).next('w'),
    db.queue('q').claim('w', NEVER).next(),
    db.listen('c', { fallbackPollS: null }).next(),
    db.stream('s').subscribe('c').next(),
    db.waitResult(1),
    db.scheduler().run({ owner: 'me' }),
  ];
  const settled = Promise.allSettled(waits);
  await Bun.sleep(20);
  db.close();
  db.close();
  for (const each of await settled) expect((each as PromiseRejectedResult).reason?.code).toBe('HONKER_CLOSED');
  expect(() => db.queue('q').enqueue(1)).toThrow(honker.ClosedError);
});

test('closing a waker ends its waits with ClosedError', async () => {
  const waker = openDatabase().queue('q').claimWaker(NEVER);
  expect(waker.tryNext('w')).toBeNull();
  const waiting = waker.next('w');
  waker.close();
  waker.close();
  expect(waiting).rejects.toBeInstanceOf(honker.ClosedError);
});

test('wakes come again after a pause in which the pipe was not read', async () => {
  const db = openDatabase();
  const queue = db.queue('q');
  const waker = queue.claimWaker(NEVER);
  for (let n = 0; n < 3; n += 1) {
    const waiting = waker.next('w');
    await Bun.sleep(5);
    queue.enqueue(n);
    expect((await waiting)?.payload).toBe(n);
    await Bun.sleep(150);
  }
});

test('a subscription saves the offset of the last event that is done', async () => {
  const stream = openDatabase().stream('s');
  for (const n of [1, 2, 3]) stream.publish(n);
  for await (const event of stream.subscribe('c', { saveEveryN: 1 })) if (event.payload === 3) break;
  expect(stream.getOffset('c')).toBe(2);
});

test('updateEvents tells of a commit, and of a file that was replaced', async () => {
  const path = databasePath();
  const db = honker.open(path);
  const updates = db.updateEvents();
  const waiting = updates.next();
  db.notify('c', 1);
  await waiting;
  renameSync(path, `${path}.old`);
  writeFileSync(path, '');
  const untilItFails = async () => {
    for (;;) await updates.next();
  };
  await expect(untilItFails()).rejects.toThrow('watcher died');
  db.close();
});

test('an outbox retries what throws', async () => {
  const db = openDatabase();
  const stop = new AbortController();
  const attempts: number[] = [];
  const deliver = async (_: unknown, job: honker.Job) => {
    attempts.push(job.attempts);
    if (job.attempts === 1) throw new Error('refused');
    stop.abort();
  };
  const outbox = db.outbox('mail', deliver, { baseBackoffS: 0 });
  outbox.enqueue({ n: 1 });
  await outbox.runWorker('w', { signal: stop.signal });
  expect(attempts).toEqual([1, 2]);
  expect(outbox.queue.claimOne('w')).toBeNull();
});

test('a scheduler passes its leadership on', async () => {
  const db = openDatabase();
  const other = honker.open(db.path);
  const [first, second] = [new AbortController(), new AbortController()];
  const holder = () =>
    db.query("SELECT json_extract(honker_lock_list(NULL, 9), '$.locks[0].owner') AS owner")[0]?.owner;
  const leading = db.scheduler().run({ owner: 'a', signal: first.signal });
  await waitUntil(() => holder() === 'a');
  const standing = other.scheduler().run({ owner: 'b', signal: second.signal });
  first.abort();
  await leading;
  await waitUntil(() => holder() === 'b');
  second.abort();
  await standing;
  other.close();
});

for (const kind of ['pipe', 'thread']) {
  test(`a program that waits by a ${kind} and does not close the database ends`, () => {
    const program = `
      import { open } from ${JSON.stringify(PACKAGE)};
      const queue = open(${JSON.stringify(databasePath())}).queue('q');
      setTimeout(() => queue.enqueue('seen'), 50);
      console.log((await queue.claimWaker({ idlePollS: null }).next('w')).payload);`;
    const env = { ...process.env, HONKER_BUN_WAIT: kind };
    const done = Bun.spawnSync([process.execPath, '--eval', program], { env, timeout: 10_000 });
    expect([done.exitCode, done.stdout.toString().trim()]).toEqual([0, 'seen']);
  });
}

test('the job of a worker that was killed runs again after its lease', async () => {
  const db = openDatabase();
  const queue = db.queue('q', { visibilityTimeoutS: 1 });
  const program = `
    import { open } from ${JSON.stringify(PACKAGE)};
    const queue = open(${JSON.stringify(db.path)}).queue('q', { visibilityTimeoutS: 1 });
    for await (const job of queue.claim('victim')) console.log(job.id);`;
  const victim = Bun.spawn([process.execPath, '--eval', program], { stdout: 'pipe' });
  const id = queue.enqueue(1);
  const { value } = await victim.stdout.getReader().read();
  victim.kill('SIGKILL');
  expect(Number(new TextDecoder().decode(value))).toBe(id);
  const job = await queue.claimWaker(NEVER).next('w');
  expect([job?.id, job?.attempts, job?.ack()]).toEqual([id, 2, true]);
});
