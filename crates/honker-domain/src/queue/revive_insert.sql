-- Copies a dead letter that the failure of a parent has made to the waiting jobs, with its attempts before it again. An expiry
-- that has passed is dropped.
-- ?1 id, ?2 how many of its parents have not ended, ?3 now (instant), ?4 the longest payload without slack, in characters,
-- ?5 bytes of slack.
-- A live job of the same id can only come from a merged or restored file; then nothing is copied.
-- Nor is a child whose unique key another job has: it stays a dead letter.
-- Index: the primary keys; paid is that of an enqueue. Lock: write.
INSERT INTO main._honker_live (id, queue, payload, state, priority, run_at, max_attempts, created_at, expires_at, slack, key, ties,
                               unique_key, unique_for_s, waiting_for, snoozes)
SELECT id, queue, payload, 'waiting', priority, run_at, max(max_attempts, 1), created_at, iif(expires_at > ?3, expires_at, NULL),
       iif(length(payload) > ?4, zeroblob(?5), NULL), key, ties, unique_key, unique_for_s, ?2, snoozes
FROM main._honker_dead
WHERE id = ?1
ON CONFLICT DO NOTHING
