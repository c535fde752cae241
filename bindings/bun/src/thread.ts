import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Connection, chooseSqlite } from './driver';
import type { Source, WakeListener } from './pipe';

const WAIT = 'SELECT honker_update_watcher_wait(?, ?)';
const WAIT_MS = 60_000;

interface Task {
  id: number;
  extensionFile: string;
  path: string;
  sqliteLibPath: string | undefined;
}

/**
 * Wait for the wakes of a subscription in a thread, where the system has no descriptors.
 *
 * The subscription belongs to the process: closing it here ends the wait there.
 */
export function watchThread(task: Task, unsubscribe: () => void, listener: WakeListener): Source {
  const worker = new Worker(new URL(import.meta.url), { workerData: task });
  let isClosed = false;
  worker.on('message', (isAlive: boolean) => {
    if (isAlive) listener.onWake();
    else if (!isClosed) listener.onDeath('the database file was replaced or deleted');
  });
  worker.on('error', (error: Error) => listener.onDeath(error.message));
  worker.unref();
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    process.removeListener('exit', close);
    unsubscribe();
  };
  // A thread that waits inside SQLite would keep the process from ending.
  process.on('exit', close);
  return { ref: () => worker.ref(), unref: () => worker.unref(), close };
}

/** The thread: it waits until the subscription is closed. */
function waitForWakes({ id, extensionFile, path, sqliteLibPath }: Task): void {
  chooseSqlite(sqliteLibPath);
  const connection = Connection.open(path);
  connection.load(extensionFile);
  let outcome = 0;
  while (outcome >= 0) {
    outcome = connection.one(WAIT, [id, WAIT_MS]) as number;
    if (outcome !== 0) parentPort?.postMessage(outcome > 0);
  }
  connection.close();
}

if (!isMainThread && workerData?.extensionFile !== undefined && workerData.id !== undefined) waitForWakes(workerData);
