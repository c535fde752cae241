// The agent of conformance/README.md.

const honker = require('..');
const { main } = require('./agent_calls.js');

/** The first column of the first row, its integer as a BigInt. */
function cellOf(connection, sql) {
  const statement = connection.prepare(sql);
  if (statement.reader === false) return void statement.run();
  (statement.setReadBigInts ?? statement.safeIntegers).call(statement, true);
  const [row] = statement.all();
  return row === undefined ? undefined : Object.values(row)[0];
}

main({
  ...honker,
  cellOf,
  claim: (queue, worker, signal) => queue.claim(worker, { idlePollS: null, signal }),
  runScheduler: (scheduler, owner, signal) => scheduler.run(owner, signal),
});
