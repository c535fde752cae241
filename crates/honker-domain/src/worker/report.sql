-- Writes the report of a worker, in place of its last one.
-- ?1 name, ?2 now (instant), ?3 beat_s (seconds to the next report), ?4 started_at (instant), ?5 host, ?6 pid, ?7 pid_space or
-- NULL, ?8 version, ?9 is_stopping (0 or 1), ?10 slots, ?11 busy, ?12 queues, ?13 worker_ids, ?14 running (JSON arrays).
-- Index: the primary key; _honker_index_workers_seen is paid. Lock: write.
INSERT INTO main._honker_workers (name, seen_at, beat_s, started_at, host, pid, pid_space, version, is_stopping, slots, busy,
                                  queues, worker_ids, running)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
ON CONFLICT (name) DO UPDATE SET
  seen_at = excluded.seen_at, beat_s = excluded.beat_s, started_at = excluded.started_at, host = excluded.host,
  pid = excluded.pid, pid_space = excluded.pid_space, version = excluded.version, is_stopping = excluded.is_stopping,
  slots = excluded.slots, busy = excluded.busy, queues = excluded.queues, worker_ids = excluded.worker_ids,
  running = excluded.running
