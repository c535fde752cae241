-- Version 10: flow control. A plain job, which uses none of it, has NULL in each of these columns and stands in none of
-- these indexes. The writer version that the file demands is raised by the first use, and not here: a process of an older
-- honker may go on with a file that has no limit, no key and no dependency.

-- Jobs of one key share a limit. `ties` names what must be done when the job leaves its state; see ties.rs.
ALTER TABLE main._honker_live ADD COLUMN key TEXT;
ALTER TABLE main._honker_live ADD COLUMN ties INTEGER;
-- The key of which one job may exist in the queue, and how long after its success.
ALTER TABLE main._honker_live ADD COLUMN unique_key TEXT;
ALTER TABLE main._honker_live ADD COLUMN unique_for_s INTEGER;
-- The parents that have not been settled, of a job in state `waiting`.
ALTER TABLE main._honker_live ADD COLUMN waiting_for INTEGER;
ALTER TABLE main._honker_live ADD COLUMN snoozes INTEGER;
ALTER TABLE main._honker_live ADD COLUMN cancel_requested_at INTEGER;
ALTER TABLE main._honker_dead ADD COLUMN key TEXT;
ALTER TABLE main._honker_dead ADD COLUMN ties INTEGER;
ALTER TABLE main._honker_dead ADD COLUMN unique_key TEXT;
ALTER TABLE main._honker_dead ADD COLUMN unique_for_s INTEGER;
ALTER TABLE main._honker_dead ADD COLUMN snoozes INTEGER;

-- The line of each key: its blocked jobs, and apart from them, on one page, its candidates and those in flight.
CREATE INDEX IF NOT EXISTS main._honker_index_live_line ON _honker_live (queue, (state = 'blocked'), key, state, priority DESC, run_at) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS main._honker_index_live_unique ON _honker_live (queue, unique_key) WHERE unique_key IS NOT NULL;

-- Settings of a queue; NULL means no limit.
ALTER TABLE main._honker_queues ADD COLUMN paused_until INTEGER;
ALTER TABLE main._honker_queues ADD COLUMN pause_reason TEXT;
ALTER TABLE main._honker_queues ADD COLUMN concurrency INTEGER;
ALTER TABLE main._honker_queues ADD COLUMN concurrency_per_key INTEGER;
ALTER TABLE main._honker_queues ADD COLUMN ordered INTEGER;
ALTER TABLE main._honker_queues ADD COLUMN on_dead TEXT;
ALTER TABLE main._honker_queues ADD COLUMN rate_limit INTEGER;
ALTER TABLE main._honker_queues ADD COLUMN rate_per_s REAL;
ALTER TABLE main._honker_queues ADD COLUMN key_rate_limit INTEGER;
ALTER TABLE main._honker_queues ADD COLUMN key_rate_per_s REAL;
ALTER TABLE main._honker_queues ADD COLUMN burst INTEGER;
ALTER TABLE main._honker_queues ADD COLUMN keep_finished_s REAL;
-- Queues that are paused, of which a list finds the next.
CREATE INDEX IF NOT EXISTS main._honker_index_queues_paused ON _honker_queues (name) WHERE paused_at IS NOT NULL;
-- The instant, in milliseconds, at which the next start is due by the rate of the queue. Written by claims.
ALTER TABLE main._honker_queues ADD COLUMN next_start_ms REAL;
-- How many keys of the queue are paused.
ALTER TABLE main._honker_queues ADD COLUMN paused_keys INTEGER;

-- Facts about one key: its next start by the rate per key, its pause, and the job at the head of its line that keeps the
-- line of an ordered queue waiting while it is between attempts or dead.
CREATE TABLE IF NOT EXISTS main._honker_keys (
  queue TEXT NOT NULL,
  key TEXT NOT NULL,
  next_start_ms REAL,
  paused_at INTEGER,
  paused_until INTEGER,
  pause_reason TEXT,
  head_id INTEGER,
  PRIMARY KEY (queue, key)
) WITHOUT ROWID;
-- Paused keys by the end of their pause.
CREATE INDEX IF NOT EXISTS main._honker_index_keys_paused ON _honker_keys (queue, paused_until) WHERE paused_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS main._honker_index_keys_start ON _honker_keys (next_start_ms) WHERE paused_at IS NULL AND head_id IS NULL;

-- Unique keys that stay taken for a time after their job succeeded. The length of that time bounds it for a clock that is
-- set back.
CREATE TABLE IF NOT EXISTS main._honker_unique (
  queue TEXT NOT NULL,
  unique_key TEXT NOT NULL,
  job_id INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  unique_for_s INTEGER NOT NULL,
  PRIMARY KEY (queue, unique_key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS main._honker_index_unique_expiry ON _honker_unique (expires_at);

-- Which job waits for which. `policy` says what a failure of the parent does to the child; `outcome` is NULL until the
-- parent is settled.
CREATE TABLE IF NOT EXISTS main._honker_dependencies (
  parent_id INTEGER NOT NULL,
  child_id INTEGER NOT NULL,
  position INTEGER NOT NULL,
  policy TEXT NOT NULL,
  outcome TEXT,
  PRIMARY KEY (parent_id, child_id)
) WITHOUT ROWID;
-- The parents of a child, those without an outcome first.
CREATE INDEX IF NOT EXISTS main._honker_index_dependencies_child ON _honker_dependencies (child_id, outcome, policy);
-- The end of a parent, kept until the last of its children has ended: done, dead or cancelled; `requeued` is a dead one that
-- lives again, whose error the children keep that went on without it.
CREATE TABLE IF NOT EXISTS main._honker_outcomes (
  job_id INTEGER PRIMARY KEY,
  state TEXT NOT NULL,
  value TEXT,
  error TEXT
);

-- Attempts that did not end well, of jobs that still exist.
CREATE TABLE IF NOT EXISTS main._honker_attempts (
  job_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  worker_id TEXT,
  ended_at INTEGER NOT NULL,
  run_s REAL,
  error TEXT,
  PRIMARY KEY (job_id, number)
) WITHOUT ROWID;

-- Jobs that ended well or were cancelled, in queues that keep them.
CREATE TABLE IF NOT EXISTS main._honker_finished (
  id INTEGER PRIMARY KEY,
  queue TEXT NOT NULL,
  payload TEXT NOT NULL,
  state TEXT NOT NULL,
  priority INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  key TEXT,
  worker_id TEXT,
  last_error TEXT,
  created_at INTEGER NOT NULL,
  finished_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS main._honker_index_finished_queue ON _honker_finished (queue);
CREATE INDEX IF NOT EXISTS main._honker_index_finished_age ON _honker_finished (queue, finished_at);
CREATE INDEX IF NOT EXISTS main._honker_index_finished_expiry ON _honker_finished (expires_at);

-- How far a job at work says that it has come.
CREATE TABLE IF NOT EXISTS main._honker_progress (
  job_id INTEGER PRIMARY KEY,
  done REAL NOT NULL,
  total REAL NOT NULL,
  note TEXT,
  updated_at INTEGER NOT NULL
);
