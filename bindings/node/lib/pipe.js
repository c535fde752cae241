const fs = require('node:fs');
const net = require('node:net');

const OPEN = 'SELECT honker_update_watcher_open(?, ?, ?, ?)';
const DESCRIPTOR = 'SELECT honker_update_watcher_fd(?)';
const CLOSE = 'SELECT honker_update_watcher_close(?)';

/**
 * Read the wakes of a subscription in the event loop.
 *
 * The engine closes its end and its descriptor itself, and a Socket closes what it was given: so the Socket gets a
 * descriptor of its own. Returns null if this system has no descriptors.
 */
function watchPipe(connection, path, { watcherBackend, watcherPollIntervalMs }, { onWake, onDeath }) {
  const interval = BigInt(watcherPollIntervalMs ?? 1);
  const id = BigInt(connection.one(OPEN, [path, watcherBackend ?? null, interval, 'pipe']));
  const close = () => connection.one(CLOSE, [id]);
  const fd = reopen(connection.one(DESCRIPTOR, [id]));
  if (fd === null) {
    close();
    return null;
  }
  const socket = new net.Socket({ fd, readable: true, writable: false });
  socket.on('data', onWake);
  socket.on('end', () => onDeath('the database file was replaced or deleted'));
  socket.on('error', (error) => onDeath(error.message));
  socket.unref();
  return {
    ref: () => socket.ref(),
    unref: () => socket.unref(),
    close: () => {
      socket.destroy();
      close();
    },
  };
}

/** Open a descriptor a second time; null if there is none, or no /dev/fd. */
function reopen(descriptor) {
  if (descriptor === null) return null;
  try {
    return fs.openSync(`/dev/fd/${descriptor}`, 'r');
  } catch {
    return null;
  }
}

module.exports = { CLOSE, OPEN, watchPipe };
