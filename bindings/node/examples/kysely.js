// Kysely on better-sqlite3: a job is enqueued in the transaction of Kysely's own connection.
const Database = require('better-sqlite3');
const { Kysely, SqliteDialect } = require('kysely');
const honker = require('@russellthehippo/honker-node');

const path = process.argv[2] ?? 'app.db';

async function main() {
  // Kysely has one connection here, and gives it to one transaction at a time.
  const sqlite = honker.load(new Database(path));
  const kysely = new Kysely({ dialect: new SqliteDialect({ database: sqlite }) });
  const db = honker.open(path);
  const emails = db.queue('emails');

  await kysely.schema
    .createTable('orders')
    .ifNotExists()
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('email', 'text')
    .execute();

  const placeOrder = (email, isPaid) =>
    kysely.transaction().execute(async (trx) => {
      const order = await trx.insertInto('orders').values({ email }).returning('id').executeTakeFirstOrThrow();
      emails.enqueue({ to: email, order: order.id }, { tx: sqlite });
      if (!isPaid) throw new Error('it is not paid');
    });

  await placeOrder('ann@example.com', true);
  await placeOrder('bob@example.com', false).catch((error) => console.log(`not placed: ${error.message}`));

  console.log(await kysely.selectFrom('orders').selectAll().execute());
  console.log(emails.claimBatch('worker-1', 10).map((job) => job.payload));
  db.close();
  await kysely.destroy();
}

main();
