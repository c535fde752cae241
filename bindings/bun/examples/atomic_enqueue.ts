// An order and its job commit together, or neither exists.
import { open } from '@russellthehippo/honker-bun';

const db = open(process.argv[2] ?? 'app.db');
const emails = db.queue('emails');

function placeOrder(id: number, email: string, isPaid: boolean): void {
  const tx = db.transaction();
  try {
    tx.execute('INSERT INTO orders (id, email) VALUES (?, ?)', [id, email]);
    emails.enqueue({ to: email, order: id }, { tx });
    if (!isPaid) throw new Error(`order ${id} is not paid`);
    tx.commit();
  } finally {
    tx.rollback(); // does nothing after the commit
  }
}

const tx = db.transaction();
tx.execute('CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, email TEXT)');
tx.commit();

placeOrder(1, 'ann@example.com', true);
try {
  placeOrder(2, 'bob@example.com', false);
} catch (error) {
  console.log((error as Error).message);
}

console.log(JSON.stringify(db.query('SELECT id FROM orders')));
console.log(JSON.stringify(emails.claimBatch('worker-1', 10).map((job) => job.payload)));
db.close();
