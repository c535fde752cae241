// A worker: it claims a job at a time, retries what fails, and stops on SIGTERM after the job under way.
const honker = require('@russellthehippo/honker-node');

async function send(email) {
  if (!email.to.includes('@')) throw new Error(`${email.to} is no address`);
  console.log(`sent to ${email.to}`);
}

async function main() {
  const db = honker.open(process.argv[2] ?? 'app.db');
  const emails = db.queue('emails', { visibilityTimeoutS: 30, maxAttempts: 3 });
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop.abort());

  console.log('waiting');
  for await (const job of emails.claim(`worker-${process.pid}`, { signal: stop.signal })) {
    try {
      await send(job.payload);
      job.ack();
    } catch (error) {
      console.log(`job ${job.id}, attempt ${job.attempts}: ${error.message}`);
      job.retry(0, String(error));
    }
  }
  console.log('stopped');
  db.close();
}

main();
