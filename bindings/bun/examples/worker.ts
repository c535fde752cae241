// A worker: it claims a job at a time, retries what fails, and stops on SIGTERM after the job under way.
import { open } from '@russellthehippo/honker-bun';

interface Email {
  to: string;
}

async function send(email: Email): Promise<void> {
  if (!email.to.includes('@')) throw new Error(`${email.to} is no address`);
  console.log(`sent to ${email.to}`);
}

const db = open(process.argv[2] ?? 'app.db');
const emails = db.queue<Email>('emails', { visibilityTimeoutS: 30, maxAttempts: 3 });
const waker = emails.claimWaker();
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop.abort());

console.log('waiting');
const next = () => waker.next(`worker-${process.pid}`, { signal: stop.signal });
for (let job = await next(); job !== null; job = await next()) {
  try {
    await send(job.payload);
    job.ack();
  } catch (error) {
    console.log(`job ${job.id}, attempt ${job.attempts}: ${(error as Error).message}`);
    job.retry(0, String(error));
  }
}
console.log('stopped');
db.close();
