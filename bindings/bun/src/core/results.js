const { WaitTimeoutError } = require('./errors.js');
const { FALLBACK_POLL_S } = require('./waiting.js');

/** Wait until a job has a result. */
async function waitResult(handle, sql, jobId, { timeoutS, signal } = {}) {
  handle.checkOpen();
  handle.watch.open();
  const deadline = timeoutS === undefined || timeoutS === null ? Number.POSITIVE_INFINITY : now() + timeoutS * 1000;
  for (;;) {
    signal?.throwIfAborted();
    const seen = handle.watch.generation;
    const value = await handle.patiently(() => handle.oneInBackground(sql, [jobId]), signal);
    if (value !== undefined && value !== null) return value;
    const leftMs = deadline - now();
    if (leftMs <= 0) throw new WaitTimeoutError(`job ${jobId} has no result after ${timeoutS} s`);
    await handle.watch.wait(seen, Math.min(leftMs, FALLBACK_POLL_S * 1000), signal);
  }
}

function now() {
  return performance.now();
}

module.exports = { waitResult };
