-- Version 13: the workers of the file, and counts by minute. An older process neither reads nor writes them: its workers are
-- not listed, and its moves are not counted.

-- One row for each group of workers of one process, written by itself every few seconds. `beat_s` is the time to its next
-- report.
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
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS main._honker_index_workers_seen ON _honker_workers (seen_at);

-- The moves of jobs, summed up since the first one that was counted: the row of a minute holds the sums at its end, so the last
-- row is the total and two neighbours give the minute between them. Only the maxima are of the minute alone. `task` is empty
-- for jobs that are no call of a task.
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
