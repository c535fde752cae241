"""The application's table, and every statement of the demo.

`_honker_jobs` is honker's view for people and dashboards, and the demo reads it in the same way.
"""

import time

QUEUE = "hash files"
# Stopping or killing a worker costs each of its jobs an attempt, and the demo may be interrupted often.
MAX_ATTEMPTS = 25

TABLE = """
CREATE TABLE IF NOT EXISTS files (
  id            INTEGER PRIMARY KEY,
  path          BLOB    NOT NULL UNIQUE,     -- bytes, as the file system has it: not every name is text
  registered_ns INTEGER NOT NULL,            -- just before the row was inserted, Unix time like all instants here
  is_trickled   INTEGER NOT NULL,            -- committed alone, rather than with many others

  -- Written by the worker, in the transaction that ends the job:
  digest        TEXT,                        -- SHA-256
  size          INTEGER,                     -- the file as it was when it was hashed
  mtime_ns      INTEGER,
  problem       TEXT,                        -- why there is no digest
  job_id        INTEGER,
  attempt       INTEGER,
  worker_id     TEXT,
  started_ns    INTEGER,                     -- when the handler began
  done_ns       INTEGER,                     -- just before the commit
  ack_count     INTEGER NOT NULL DEFAULT 0   -- anything but 1 would be a job that was acknowledged twice, or never
)
"""


def create_table(db):
    with db.transaction() as tx:
        tx.execute(TABLE)


def queue(db, lease_s):
    return db.queue(QUEUE, visibility_timeout_s=lease_s, max_attempts=MAX_ATTEMPTS)


# Statements of the walker


def paths(db):
    return {row["path"] for row in db.query("SELECT path FROM files")}


def insert_file(tx, path, *, is_trickled):
    sql = "INSERT INTO files (path, registered_ns, is_trickled) VALUES (?, ?, ?) RETURNING id"
    return tx.query(sql, (path, time.time_ns(), is_trickled))[0]["id"]


# Statements of the workers


def path(db, file_id):
    return db.query("SELECT path FROM files WHERE id = ?", (file_id,))[0]["path"]


def save_digest(tx, file_id, hashed):
    sql = "UPDATE files SET digest = ?, size = ?, mtime_ns = ?, ack_count = ack_count + 1 WHERE id = ?"
    tx.execute(sql, (hashed.digest, hashed.size, hashed.mtime_ns, file_id))


def save_problem(tx, file_id, problem):
    tx.execute("UPDATE files SET problem = ? WHERE id = ?", (problem, file_id))


def save_handling(tx, file_id, job, started_ns):
    sql = "UPDATE files SET job_id = ?, attempt = ?, worker_id = ?, started_ns = ?, done_ns = ? WHERE id = ?"
    tx.execute(sql, (job.id, job.attempts, job.worker_id, started_ns, time.time_ns(), file_id))


# Statements of the demo's report


def files(db):
    return db.query("SELECT * FROM files ORDER BY id")


def file_count(db):
    return db.query("SELECT count(*) AS n FROM files")[0]["n"]


def done_count(db):
    return db.query("SELECT count(*) AS n FROM files WHERE done_ns IS NOT NULL")[0]["n"]


def job_counts(db):
    """Count the live jobs, waiting or leased, and the dead ones."""
    sql = "SELECT count(*) AS n, ifnull(sum(state = 'dead'), 0) AS dead FROM _honker_jobs WHERE queue = ?"
    row = db.query(sql, (QUEUE,))[0]
    return row["n"] - row["dead"], row["dead"]


def leases(tx):
    """The current leases: a list of job ids for each worker."""
    sql = """
        SELECT id, worker_id FROM _honker_jobs
        WHERE queue = ? AND state = 'processing' AND claim_expires_at > ? ORDER BY id
    """
    held = {}
    for row in tx.query(sql, (QUEUE, time.time())):
        held.setdefault(row["worker_id"], []).append(row["id"])
    return held
