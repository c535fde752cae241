-- Keeps a live job that ends, if its queue keeps finished jobs.
-- ?1 id, ?2 state (done or cancelled), ?3 finished_at (instant), ?4 the second that now lies in.
-- Whole seconds for the expiry: a job that is kept a little longer harms less than one that goes early. A finished job of the
-- same id can only come from a merged or restored file.
-- Index: the primary keys; paid are those of finished jobs. Lock: write.
INSERT OR REPLACE INTO main._honker_finished
  (id, queue, payload, state, priority, attempts, max_attempts, key, worker_id, last_error, created_at, finished_at, expires_at)
SELECT live.id, live.queue, live.payload, ?2, live.priority, live.attempts, live.max_attempts, live.key, live.worker_id,
       live.last_error, live.created_at, ?3, ?4 + 1 + CAST(queues.keep_finished_s + 0.999 AS INTEGER)
FROM main._honker_live AS live JOIN main._honker_queues AS queues ON queues.name = live.queue
WHERE live.id = ?1 AND queues.keep_finished_s > 0 AND typeof(queues.keep_finished_s) IN ('integer', 'real')
