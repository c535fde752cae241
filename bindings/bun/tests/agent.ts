// The agent of conformance/README.md.

import { Database as Sqlite } from 'bun:sqlite';
import { main } from '../../node/tests/agent_calls.js';
import * as honker from '../src/index';

const library = process.env.HONKER_EXTENSION_PATH ?? '';

/** A connection whose integers come as BigInt, so that they differ from reals. */
function connect(path: string): Sqlite {
  const connection = new Sqlite(path, { create: true, readwrite: true, safeIntegers: true });
  connection.run('PRAGMA busy_timeout = 5000');
  connection.loadExtension(library);
  return connection;
}

/** The first column of the first row. */
function cellOf(connection: Sqlite, sql: string): unknown {
  const statement = connection.prepare(sql);
  try {
    return statement.values()[0]?.[0];
  } finally {
    statement.finalize();
  }
}

async function* claim(queue: honker.Queue, worker: string, signal: AbortSignal) {
  const waker = queue.claimWaker({ idlePollS: null });
  for (let job = await waker.next(worker, { signal }); job !== null; job = await waker.next(worker, { signal })) {
    yield job;
  }
}

main({
  ...honker,
  cellOf,
  claim,
  connect,
  runScheduler: (scheduler: honker.Scheduler, owner: string, signal: AbortSignal) => scheduler.run({ owner, signal }),
});
