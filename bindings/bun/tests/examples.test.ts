import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { databasePath, openDatabase } from './files';

const EXAMPLES = resolve(import.meta.dir, '..', 'examples');

/** Run an example in a folder of its own. Returns the lines that it prints. */
function run(name: string): string[] {
  const cwd = dirname(databasePath());
  const done = Bun.spawnSync([process.execPath, resolve(EXAMPLES, name)], { cwd });
  expect(done.stderr.toString()).toBe('');
  return done.stdout.toString().trim().split('\n');
}

test('the program of the README is the example, and runs as it stands', () => {
  const program = readFileSync(resolve(EXAMPLES, 'getting_started.ts'), 'utf8');
  const readme = readFileSync(resolve(EXAMPLES, '..', 'README.md'), 'utf8');
  expect(readme).toContain(`\`\`\`ts\n${program}\`\`\``);
  expect(run('getting_started.ts')).toEqual(['sending to ann@example.com']);
});

test('an order and its job exist together or not at all', () => {
  const jobs = '[{"to":"ann@example.com","order":1}]';
  expect(run('atomic_enqueue.ts')).toEqual(['order 2 is not paid', '[{"id":1}]', jobs]);
});

test('the worker retries, and stops on SIGTERM', async () => {
  const db = openDatabase();
  const worker = Bun.spawn([process.execPath, resolve(EXAMPLES, 'worker.ts'), db.path], { stdout: 'pipe' });
  let printed = '';
  const lines = () => printed.split('\n').filter(Boolean);
  for await (const chunk of worker.stdout) {
    const isFirst = printed === '';
    printed += new TextDecoder().decode(chunk);
    if (isFirst) db.queue('emails').enqueueMany([{ to: 'nobody' }, { to: 'ann@example.com' }]);
    if (lines().length >= 5) worker.kill('SIGTERM');
  }
  const failures = [1, 2, 3].map((attempt) => `job 1, attempt ${attempt}: nobody is no address`);
  expect(lines().sort()).toEqual([...failures, 'sent to ann@example.com', 'stopped', 'waiting'].sort());
  expect(await worker.exited).toBe(0);
});
