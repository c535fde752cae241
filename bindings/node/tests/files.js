const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const honker = require('..');

/** A path for a database of one test, whose folder is removed after it. */
function databasePath(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'honker-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, 'app.db');
}

/** An open database of one test. */
function openDatabase(t, options = {}) {
  const db = honker.open(databasePath(t), options);
  t.after(() => db.close());
  return db;
}

/** Wait until `predicate` holds. */
async function waitUntil(predicate, timeoutMs = 10_000) {
  const deadline = performance.now() + timeoutMs;
  while (!predicate()) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${predicate}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

module.exports = { databasePath, honker, openDatabase, waitUntil };
