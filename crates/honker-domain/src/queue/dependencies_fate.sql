-- What is known of a job that another one names as its parent.
-- ?1 id, ?2 now (instant).
-- Returns state (live, done, dead or cancelled), error, 1 if the job can be requeued, else 0; no row for a job that is not known.
-- A result of an id that no committed job has had says nothing.
-- Index: the primary keys; sqlite_sequence has one row a table. Lock: read.
SELECT 'live', NULL, 0 FROM main._honker_live WHERE id = ?1
UNION ALL
SELECT 'dead', last_error, 1 FROM main._honker_dead WHERE id = ?1
UNION ALL
SELECT state, error, 0 FROM main._honker_outcomes WHERE job_id = ?1 AND state <> 'requeued'
UNION ALL
SELECT iif(state = 'cancelled', state, 'done'), NULL, 0 FROM main._honker_finished WHERE id = ?1
UNION ALL
SELECT iif(value IS NULL, 'cancelled', 'done'), NULL, 0 FROM main._honker_results
WHERE job_id = ?1 AND (expires_at IS NULL OR expires_at > ?2)
  AND ?1 BETWEEN 1 AND (SELECT seq FROM main.sqlite_sequence WHERE name = '_honker_live')
LIMIT 1
