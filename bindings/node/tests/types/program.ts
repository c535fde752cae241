// A program of a user, which `tsc --strict` reads and nothing runs: the declarations must fit it.
import * as honker from '@russellthehippo/honker-node';

interface Email {
  to: string;
}

const db: honker.Database = honker.open('app.db', { watcherBackend: 'polling', watcherPollIntervalMs: 5 });
const positional = honker.open('app.db', 8, 'polling', 5);
const emails = db.queue<Email>('emails', { visibilityTimeoutS: 30, maxAttempts: 5 });
const id: number = emails.enqueue({ to: 'ann' }, { delay: 1.5, priority: 2, uniqueKey: 'ann', onConflict: 'replace' });

// @ts-expect-error the payload of this queue is an Email
emails.enqueue({ from: 'ann' });
// @ts-expect-error there is no such option
emails.enqueue({ to: 'ann' }, { dleay: 1 });
// @ts-expect-error a job comes from a claim
new honker.Job();

async function work(signal: AbortSignal): Promise<void> {
  for await (const job of emails.claim('worker-1', { idlePollS: null, signal })) {
    const to: string = job.payload.to;
    const held: boolean = to === '' ? job.fail('no address') : job.ack();
    if (!held) job.retry(60, null);
  }
  const waker = emails.claimWaker();
  const next: honker.Job<Email> | null = await waker.next('worker-1', { signal });
  next?.heartbeat(30);
  waker.close();
}

async function rest(): Promise<number> {
  const sum = await db.withTransaction(async (tx) => {
    tx.execute('INSERT INTO orders (id, at, note) VALUES (?, ?, ?)', [1, new Date(), null]);
    emails.enqueueTx(tx, { to: 'bob' });
    return tx.query('SELECT 1 AS one')[0]?.one as number;
  });
  for await (const event of db.stream<Email>('log').subscribe('reader', { saveEveryN: 10 })) {
    const at: number = event.createdAt;
    if (at > 0 && event.payload.to === 'ann') break;
  }
  for await (const { payload } of db.listen<number>('numbers', { fallbackPollS: null })) return payload + sum;
  return sum;
}

const tx = db.transaction();
try {
  db.notifyTx(tx, 'channel', { any: ['value'] });
  tx.commit();
} finally {
  tx.rollback();
}

const scheduler = db.scheduler();
scheduler.add({ name: 'nightly', queue: 'emails', cron: '0 3 * * *', payload: { to: 'all' } });
scheduler.update('nightly', { schedule: '@every 60s' });
// @ts-expect-error a schedule has times
scheduler.add({ name: 'never', queue: 'emails' });
const fires: honker.Fire[] = scheduler.tick();

const lock: honker.Lock | null = db.tryLock('report', 'me', 60);
lock?.release();
const outbox = db.outbox<Email>('mail', async (email, job) => `${email.to} ${job.id}`, { baseBackoffS: 1 });
const result: Promise<string> = db.waitResult(id, { timeoutS: 10 });

try {
  db.tryRateLimit('api', 10, 60);
} catch (error) {
  if (error instanceof honker.BusyError) console.log(error.code, error.isRetryable);
}

const own = honker.load(honker.connect('app.db'));
emails.enqueue({ to: 'cy' }, { tx: own });

export { fires, outbox, positional, rest, result, work };
