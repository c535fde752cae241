-- Reports that are dated in the future, the furthest first.
-- ?1 instant, ?2 how many at most.
-- Returns name, seen_at, beat_s, ahead_met_at (NULL if the report was not met before), queues, worker_ids.
-- Index: _honker_index_workers_seen, its end only. Lock: read.
SELECT name, seen_at, beat_s, iif(ahead_seen_at IS seen_at, ahead_met_at, NULL), queues, worker_ids
FROM main._honker_workers INDEXED BY _honker_index_workers_seen
WHERE seen_at > ?1
ORDER BY seen_at DESC
LIMIT +?2
