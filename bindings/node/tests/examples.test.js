const assert = require('node:assert/strict');
const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { test } = require('node:test');
const { databasePath, openDatabase } = require('./files.js');

const EXAMPLES = path.resolve(__dirname, '..', 'examples');
// The ORMs use better-sqlite3.
const skip = process.env.HONKER_NODE_DRIVER === 'node:sqlite' && 'it needs better-sqlite3';

/** Run an example in a folder of its own. Returns the lines that it prints. */
function run(t, name) {
  const folder = path.dirname(databasePath(t));
  return execFileSync(process.execPath, [path.join(EXAMPLES, name)], { cwd: folder, encoding: 'utf8' })
    .trim()
    .split('\n');
}

test('the program of the README is the example, and runs as it stands', (t) => {
  const program = fs.readFileSync(path.join(EXAMPLES, 'getting_started.js'), 'utf8');
  const readme = fs.readFileSync(path.join(EXAMPLES, '..', 'README.md'), 'utf8');
  assert.ok(readme.includes(`\`\`\`js\n${program}\`\`\``));
  assert.deepEqual(run(t, 'getting_started.js'), ['sending to ann@example.com']);
});

test('an order and its job exist together or not at all', (t) => {
  assert.deepEqual(run(t, 'atomic_enqueue.js'), [
    'order 2 is not paid',
    '[ { id: 1 } ]',
    "[ { to: 'ann@example.com', order: 1 } ]",
  ]);
});

for (const [name, refusal] of [
  ['drizzle.js', 'TransactionRollbackError'],
  ['kysely.js', 'it is not paid'],
]) {
  test(`${name} enqueues in the transaction of its own connection`, { skip }, (t) => {
    assert.deepEqual(run(t, name), [
      `not placed: ${refusal}`,
      "[ { id: 1, email: 'ann@example.com' } ]",
      "[ { to: 'ann@example.com', order: 1 } ]",
    ]);
  });
}

test('the worker retries, and stops on SIGTERM', async (t) => {
  const db = openDatabase(t);
  const worker = spawn(process.execPath, [path.join(EXAMPLES, 'worker.js'), db.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = [];
  for await (const line of readline.createInterface({ input: worker.stdout })) {
    lines.push(line);
    if (line === 'waiting') db.queue('emails').enqueueMany([{ to: 'nobody' }, { to: 'ann@example.com' }]);
    if (lines.length === 5) worker.kill('SIGTERM');
  }
  if (worker.exitCode === null) await once(worker, 'exit');
  const failures = [1, 2, 3].map((attempt) => `job 1, attempt ${attempt}: nobody is no address`);
  assert.deepEqual([...lines].sort(), [...failures, 'sent to ann@example.com', 'stopped', 'waiting'].sort());
  assert.equal(worker.exitCode, 0);
});
