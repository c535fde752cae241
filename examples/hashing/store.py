"""The application's table, and every statement of the demo.

The demo runs on a SQLite file and on PostgreSQL. The statements are written for SQLite, and `on` gives the form that
the other database takes.
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


# PostgreSQL's names for the types of the table, and for its keys.
POSTGRES = {
    "INTEGER PRIMARY KEY": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "INTEGER": "bigint",
    "BLOB": "bytea",
    "?": "%s",
}


def is_postgres(db):
    return db.path.startswith("postgres")


def on(db, sql):
    """The statement for the kind of database that is behind `db`."""
    if is_postgres(db):
        for ours, theirs in POSTGRES.items():
            sql = sql.replace(ours, theirs)
    return sql


def create_table(db):
    with db.transaction() as tx:
        tx.execute(on(db, TABLE))


def drop_table(db):
    with db.transaction() as tx:
        tx.execute("DROP TABLE IF EXISTS files")


def queue(db, lease_s):
    return db.queue(QUEUE, visibility_timeout_s=lease_s, max_attempts=MAX_ATTEMPTS)


# Statements of the walker


def paths(db):
    return {row["path"] for row in db.query("SELECT path FROM files")}


def insert_file(db, tx, path, *, is_trickled):
    sql = "INSERT INTO files (path, registered_ns, is_trickled) VALUES (?, ?, ?) RETURNING id"
    return tx.query(on(db, sql), (path, time.time_ns(), int(is_trickled)))[0]["id"]


# Statements of the workers


def path(db, file_id):
    return db.query(on(db, "SELECT path FROM files WHERE id = ?"), (file_id,))[0]["path"]


def save_digest(db, tx, file_id, hashed):
    sql = "UPDATE files SET digest = ?, size = ?, mtime_ns = ?, ack_count = ack_count + 1 WHERE id = ?"
    tx.execute(on(db, sql), (hashed.digest, hashed.size, hashed.mtime_ns, file_id))


def save_problem(db, tx, file_id, problem):
    tx.execute(on(db, "UPDATE files SET problem = ? WHERE id = ?"), (problem, file_id))


def save_handling(db, tx, file_id, job, started_ns):
    sql = "UPDATE files SET job_id = ?, attempt = ?, worker_id = ?, started_ns = ?, done_ns = ? WHERE id = ?"
    tx.execute(on(db, sql), (job.id, job.attempts, job.worker_id, started_ns, time.time_ns(), file_id))


# Statements of the demo's report


def files(db):
    return db.query("SELECT * FROM files ORDER BY id")


def file_count(db):
    return db.query("SELECT count(*) AS n FROM files")[0]["n"]


def done_count(db):
    return db.query("SELECT count(*) AS n FROM files WHERE done_ns IS NOT NULL")[0]["n"]


def job_counts(db):
    """Count the live jobs, waiting or leased, and the dead ones."""
    counts = db.queue(QUEUE).stats(count_limit=1_000_000)
    return counts.ready + counts.delayed + counts.processing + counts.lapsed, counts.dead


def leases(db):
    """The current leases: a list of job ids for each worker."""
    held = {}
    for job in db.jobs(queue=QUEUE, state="running", limit=500).jobs:
        held.setdefault(job.worker_id, []).append(job.id)
    return held
