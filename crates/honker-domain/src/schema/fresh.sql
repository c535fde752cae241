-- The tables of a new file, as the migrations leave them. Parameters and columns returned: none. Takes the write lock.
-- Made by: HONKER_UPDATE_SCHEMA=1 cargo test -p honker-core, in bindings/rust. A test compares.
CREATE TABLE IF NOT EXISTS main._honker_live (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  queue TEXT NOT NULL,
  payload TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending',
  priority INTEGER NOT NULL DEFAULT 0,
  run_at INTEGER NOT NULL DEFAULT (unixepoch()),
  worker_id TEXT,
  claim_expires_at INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER NOT NULL DEFAULT 3,
  created_at INTEGER NOT NULL DEFAULT (unixepoch()),
  expires_at INTEGER
, last_error TEXT, slack BLOB, unknown_since INTEGER, key TEXT, ties INTEGER, unique_key TEXT, unique_for_s INTEGER, waiting_for INTEGER, snoozes INTEGER, cancel_requested_at INTEGER);
CREATE TABLE IF NOT EXISTS main._honker_dead (
  id INTEGER PRIMARY KEY,
  queue TEXT NOT NULL,
  payload TEXT NOT NULL,
  priority INTEGER NOT NULL DEFAULT 0,
  run_at INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER NOT NULL DEFAULT 0,
  last_error TEXT,
  created_at INTEGER NOT NULL DEFAULT (unixepoch()),
  died_at INTEGER NOT NULL DEFAULT (unixepoch())
, worker_id TEXT, expires_at INTEGER, key TEXT, ties INTEGER, unique_key TEXT, unique_for_s INTEGER, snoozes INTEGER);
CREATE TABLE IF NOT EXISTS main._honker_locks (
  name TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  expires_at INTEGER NOT NULL
, token INTEGER NOT NULL DEFAULT 0, taken_at INTEGER);
CREATE TABLE IF NOT EXISTS main._honker_rate_limits (
  name TEXT NOT NULL,
  window_start INTEGER NOT NULL,
  count INTEGER NOT NULL DEFAULT 0, expires_at INTEGER,
  PRIMARY KEY (name, window_start)
);
CREATE TABLE IF NOT EXISTS main._honker_scheduler_tasks (
  name TEXT PRIMARY KEY,
  queue TEXT NOT NULL,
  cron_expr TEXT NOT NULL,
  payload TEXT NOT NULL,
  priority INTEGER NOT NULL DEFAULT 0,
  expires_s INTEGER,
  next_fire_at INTEGER NOT NULL,
  enabled INTEGER NOT NULL DEFAULT 1,
  max_attempts INTEGER NOT NULL DEFAULT 3
, time_zone TEXT, misfire TEXT NOT NULL DEFAULT 'catch_up', last_error TEXT, overlap TEXT NOT NULL DEFAULT 'queue', when_paused TEXT NOT NULL DEFAULT 'enqueue', last_job_id INTEGER, fired_before INTEGER, set_back_at INTEGER);
CREATE TABLE IF NOT EXISTS main._honker_results (
  job_id INTEGER PRIMARY KEY,
  value TEXT,
  created_at INTEGER NOT NULL DEFAULT (unixepoch()),
  expires_at INTEGER
);
CREATE TABLE IF NOT EXISTS main._honker_stream (
  offset INTEGER PRIMARY KEY AUTOINCREMENT,
  topic TEXT NOT NULL,
  key TEXT,
  payload TEXT NOT NULL,
  created_at INTEGER NOT NULL DEFAULT (unixepoch())
);
CREATE TABLE IF NOT EXISTS main._honker_stream_consumers (
  name TEXT NOT NULL,
  topic TEXT NOT NULL,
  offset INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (name, topic)
);
CREATE TABLE IF NOT EXISTS main._honker_notifications (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  channel TEXT NOT NULL,
  payload TEXT NOT NULL,
  created_at INTEGER NOT NULL DEFAULT (unixepoch())
);
CREATE INDEX IF NOT EXISTS main._honker_stream_topic ON _honker_stream (topic, offset);
CREATE INDEX IF NOT EXISTS main._honker_notifications_recent ON _honker_notifications (channel, id);
CREATE INDEX IF NOT EXISTS main._honker_index_live_ready ON _honker_live (queue, priority DESC, run_at) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS main._honker_live_processing_deadline
  ON _honker_live (queue, claim_expires_at) WHERE state = 'processing';
CREATE INDEX IF NOT EXISTS main._honker_index_live_expiry ON _honker_live (queue, expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS main._honker_index_rate_limits_expiry ON _honker_rate_limits (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS main._honker_index_results_expiry ON _honker_results (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS main._honker_queues (
  name TEXT PRIMARY KEY,
  paused_at INTEGER
, paused_until INTEGER, pause_reason TEXT, concurrency INTEGER, concurrency_per_key INTEGER, ordered INTEGER, on_dead TEXT, rate_limit INTEGER, rate_per_s REAL, key_rate_limit INTEGER, key_rate_per_s REAL, burst INTEGER, keep_finished_s REAL, next_start_ms REAL, paused_keys INTEGER);
CREATE TABLE IF NOT EXISTS main._honker_meta (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL
);
CREATE VIEW IF NOT EXISTS main._honker_jobs AS
  SELECT id, queue, payload, state, priority, run_at, worker_id, claim_expires_at, attempts, max_attempts,
         last_error, created_at
  FROM _honker_live
  UNION ALL
  SELECT id, queue, payload, 'dead', priority, run_at, NULL, NULL, attempts, max_attempts,
         last_error, created_at
  FROM _honker_dead;
CREATE INDEX IF NOT EXISTS main._honker_index_dead_age ON _honker_dead (queue, died_at);
CREATE TABLE IF NOT EXISTS main._honker_token_buckets (
  name TEXT PRIMARY KEY,
  -- Tokens that were missing at counted_at.
  missing REAL NOT NULL,
  counted_at INTEGER NOT NULL,
  full_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS main._honker_index_token_buckets_full ON _honker_token_buckets (full_at);
CREATE TABLE IF NOT EXISTS main._honker_retention (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  max_age_s INTEGER,
  max_keep INTEGER,
  -- Of a stream: the last offset that is too many, and the offset at which that was found out.
  surplus_to INTEGER,
  judged_at INTEGER,
  PRIMARY KEY (kind, name)
);
CREATE INDEX IF NOT EXISTS main._honker_index_live_other ON _honker_live (queue, state, run_at)
  WHERE state <> 'pending' AND state <> 'processing';
CREATE INDEX IF NOT EXISTS main._honker_index_live_line ON _honker_live (queue, (state = 'blocked'), key, state, priority DESC, run_at) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS main._honker_index_live_unique ON _honker_live (queue, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS main._honker_index_queues_paused ON _honker_queues (name) WHERE paused_at IS NOT NULL;
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
CREATE INDEX IF NOT EXISTS main._honker_index_keys_paused ON _honker_keys (queue, paused_until) WHERE paused_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS main._honker_index_keys_start ON _honker_keys (next_start_ms) WHERE paused_at IS NULL AND head_id IS NULL;
CREATE TABLE IF NOT EXISTS main._honker_unique (
  queue TEXT NOT NULL,
  unique_key TEXT NOT NULL,
  job_id INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  unique_for_s INTEGER NOT NULL,
  PRIMARY KEY (queue, unique_key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS main._honker_index_unique_expiry ON _honker_unique (expires_at);
CREATE TABLE IF NOT EXISTS main._honker_dependencies (
  parent_id INTEGER NOT NULL,
  child_id INTEGER NOT NULL,
  position INTEGER NOT NULL,
  policy TEXT NOT NULL,
  outcome TEXT,
  PRIMARY KEY (parent_id, child_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS main._honker_index_dependencies_child ON _honker_dependencies (child_id, outcome, policy);
CREATE TABLE IF NOT EXISTS main._honker_outcomes (
  job_id INTEGER PRIMARY KEY,
  state TEXT NOT NULL,
  value TEXT,
  error TEXT
);
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
CREATE TABLE IF NOT EXISTS main._honker_progress (
  job_id INTEGER PRIMARY KEY,
  done REAL NOT NULL,
  total REAL NOT NULL,
  note TEXT,
  updated_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS main._honker_workers (
  name TEXT PRIMARY KEY,
  seen_at INTEGER NOT NULL,
  beat_s INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  pid_space TEXT,
  version TEXT NOT NULL,
  is_stopping INTEGER NOT NULL,
  slots INTEGER NOT NULL,
  busy INTEGER NOT NULL,
  queues TEXT NOT NULL,
  worker_ids TEXT NOT NULL,
  running TEXT NOT NULL
, ahead_seen_at INTEGER, ahead_met_at INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS main._honker_index_workers_seen ON _honker_workers (seen_at);
CREATE TABLE IF NOT EXISTS main._honker_counters (
  queue TEXT NOT NULL,
  task TEXT NOT NULL,
  minute INTEGER NOT NULL,
  enqueued INTEGER NOT NULL,
  claimed INTEGER NOT NULL,
  done INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  retried INTEGER NOT NULL,
  dead INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  snoozed INTEGER NOT NULL,
  released INTEGER NOT NULL,
  lapsed INTEGER NOT NULL,
  runs INTEGER NOT NULL,
  run_s REAL NOT NULL,
  run_max_s REAL NOT NULL,
  wait_s REAL NOT NULL,
  wait_max_s REAL NOT NULL,
  PRIMARY KEY (queue, task, minute)
) WITHOUT ROWID;
INSERT OR IGNORE INTO main._honker_meta (key, value) VALUES ('lock_token', 0);
INSERT OR IGNORE INTO main._honker_meta (key, value) VALUES ('min_writer_version', 8);
INSERT OR IGNORE INTO main._honker_meta (key, value) VALUES ('schema_version', 14);
