const honker = require('@russellthehippo/honker-node');

async function main() {
  const db = honker.open('app.db');
  const emails = db.queue('emails');

  // A job and the row that it belongs to commit together.
  await db.withTransaction((tx) => {
    tx.execute('CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, email TEXT)');
    tx.execute('INSERT INTO orders (email) VALUES (?)', ['ann@example.com']);
    emails.enqueue({ to: 'ann@example.com' }, { tx });
  });

  // A worker, here for one job. It waits without polling when there is none.
  for await (const job of emails.claim('worker-1')) {
    console.log(`sending to ${job.payload.to}`);
    job.ack();
    break;
  }

  db.close();
}

main();
