const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { chooseDriver } = require('./drivers/choice.js');
const { CLOSE, OPEN } = require('./pipe.js');

const WAIT = 'SELECT honker_update_watcher_wait(?, ?)';
const WAIT_MS = 60_000n;

/**
 * Wait for the wakes of a subscription in a thread, where the system has no descriptors.
 *
 * The subscription belongs to the process: closing it here ends the wait there.
 */
function watchThread(connection, path, { driverName, extensionFile, watcherBackend, watcherPollIntervalMs }, listener) {
  const interval = BigInt(watcherPollIntervalMs ?? 1);
  const id = BigInt(connection.one(OPEN, [path, watcherBackend ?? null, interval, '']));
  const worker = new Worker(__filename, { workerData: { driverName, id, extensionFile, path } });
  let isClosed = false;
  worker.on('message', (isAlive) => {
    if (isAlive) listener.onWake();
    else if (!isClosed) listener.onDeath('the database file was replaced or deleted');
  });
  worker.on('error', (error) => listener.onDeath(error.message));
  worker.unref();
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    process.removeListener('exit', close);
    connection.one(CLOSE, [id]);
  };
  // A thread that waits inside SQLite would keep the process from ending.
  process.on('exit', close);
  return { ref: () => worker.ref(), unref: () => worker.unref(), close };
}

/** The thread: it waits until the subscription is closed. */
function waitForWakes({ driverName, id, extensionFile, path }) {
  const driver = chooseDriver(driverName);
  const connection = driver.Connection.open(driver, path);
  connection.load(extensionFile);
  let outcome = 0;
  while (outcome >= 0) {
    outcome = connection.one(WAIT, [id, WAIT_MS]);
    if (outcome !== 0) parentPort.postMessage(outcome > 0);
  }
  connection.close();
}

if (!isMainThread && workerData?.extensionFile !== undefined && workerData.id !== undefined) waitForWakes(workerData);

module.exports = { watchThread };
