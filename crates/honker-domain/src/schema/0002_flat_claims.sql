-- Version 2: the indexes that keep a claim independent of the backlog, and columns for what the reference forgets.
-- Columns are nullable or defaulted, because the reference goes on inserting rows without them. Indexes of ours are named
-- _honker_index_..., so that they do not collide with those of its later releases; a column that one of them has added
-- already is left out.

-- Jobs that wait, in claim order; the rowid ends every index, so `id` need not be named. Only pending rows: those
-- in flight would otherwise stand at its head and every claim would step over them.
CREATE INDEX main._honker_index_live_ready ON _honker_live (queue, priority DESC, run_at) WHERE state = 'pending';
-- Leases by the instant they lapse.
CREATE INDEX IF NOT EXISTS main._honker_live_processing_deadline
  ON _honker_live (queue, claim_expires_at) WHERE state = 'processing';
-- Jobs that can expire; costs nothing for those that cannot.
CREATE INDEX main._honker_index_live_expiry ON _honker_live (queue, expires_at) WHERE expires_at IS NOT NULL;

ALTER TABLE main._honker_live ADD COLUMN last_error TEXT;
ALTER TABLE main._honker_dead ADD COLUMN worker_id TEXT;
ALTER TABLE main._honker_dead ADD COLUMN expires_at INTEGER;

-- The fencing token of a lock: larger for each later holder.
ALTER TABLE main._honker_locks ADD COLUMN token INTEGER NOT NULL DEFAULT 0;

-- A window's end, for retention; rows of the reference have none and are left to the sweep.
ALTER TABLE main._honker_rate_limits ADD COLUMN expires_at INTEGER;
CREATE INDEX main._honker_index_rate_limits_expiry ON _honker_rate_limits (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX main._honker_index_results_expiry ON _honker_results (expires_at) WHERE expires_at IS NOT NULL;

ALTER TABLE main._honker_scheduler_tasks ADD COLUMN time_zone TEXT;
ALTER TABLE main._honker_scheduler_tasks ADD COLUMN misfire TEXT NOT NULL DEFAULT 'catch_up';
ALTER TABLE main._honker_scheduler_tasks ADD COLUMN last_error TEXT;

-- Settings of a queue; a queue without a row has the defaults.
CREATE TABLE main._honker_queues (
  name TEXT PRIMARY KEY,
  paused_at INTEGER
);

-- One row per fact about the file itself: schema_version, lock_token.
CREATE TABLE main._honker_meta (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL
);
INSERT INTO main._honker_meta (key, value) VALUES ('lock_token', 0);

-- The view for people and dashboards. The reference makes its own under this name and in these columns.
DROP VIEW IF EXISTS main._honker_jobs;
CREATE VIEW main._honker_jobs AS
  SELECT id, queue, payload, state, priority, run_at, worker_id, claim_expires_at, attempts, max_attempts,
         last_error, created_at
  FROM _honker_live
  UNION ALL
  SELECT id, queue, payload, 'dead', priority, run_at, NULL, NULL, attempts, max_attempts,
         last_error, created_at
  FROM _honker_dead;
