// Drizzle on better-sqlite3: a job is enqueued in the transaction of Drizzle's own connection.
const Database = require('better-sqlite3');
const { drizzle } = require('drizzle-orm/better-sqlite3');
const { integer, sqliteTable, text } = require('drizzle-orm/sqlite-core');
const honker = require('@russellthehippo/honker-node');

const path = process.argv[2] ?? 'app.db';
const orders = sqliteTable('orders', { id: integer('id').primaryKey(), email: text('email').notNull() });

const sqlite = new Database(path);
honker.load(sqlite);
const orm = drizzle(sqlite);
const db = honker.open(path);
const emails = db.queue('emails');

orm.run('CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, email TEXT NOT NULL)');

function placeOrder(email, isPaid) {
  orm.transaction((tx) => {
    const order = tx.insert(orders).values({ email }).returning().get();
    emails.enqueue({ to: email, order: order.id }, { tx: sqlite });
    if (!isPaid) tx.rollback();
  });
}

placeOrder('ann@example.com', true);
try {
  placeOrder('bob@example.com', false);
} catch (error) {
  console.log(`not placed: ${error.constructor.name}`);
}

console.log(orm.select().from(orders).all());
console.log(emails.claimBatch('worker-1', 10).map((job) => job.payload));
db.close();
sqlite.close();
