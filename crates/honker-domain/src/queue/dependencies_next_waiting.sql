-- The next waiting jobs of a queue, by run_at.
-- ?1 queue, ?2 run_at and ?3 id of the job to begin after, ?4 how many at most.
-- Returns run_at, id.
-- Index: _honker_index_live_other, one seek, then neighbours. Lock: read.
SELECT run_at, id FROM main._honker_live INDEXED BY _honker_index_live_other
WHERE queue = ?1 AND state = 'waiting' AND state <> 'pending' AND state <> 'processing' AND (run_at, id) > (?2, ?3)
ORDER BY run_at, id
LIMIT +?4
