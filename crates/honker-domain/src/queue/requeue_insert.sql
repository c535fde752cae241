-- Copies a dead letter to the waiting jobs, with its attempts before it again. An expiry that has passed is dropped.
-- ?1 id, ?2 queue or NULL for any, ?3 run_at (whole second), ?4 now (instant), ?5 the longest payload without slack, in
-- characters, ?6 bytes of slack.
-- A live job of the same id can only come from a merged or restored file; then nothing is copied. A unique key that is taken
-- has been looked for before.
-- Index: the primary keys; paid is that of an enqueue. Lock: write.
INSERT INTO main._honker_live (id, queue, payload, priority, run_at, max_attempts, created_at, expires_at, last_error,
                               slack, key, ties, unique_key, unique_for_s, snoozes)
SELECT id, queue, payload, priority, ?3, max(max_attempts, 1), created_at, iif(expires_at > ?4, expires_at, NULL),
       last_error,
       iif(length(payload) > ?5, zeroblob(
         ?6 - (ifnull(ties, 0) > 1) - (ifnull(ties, 0) > 127) - (ifnull(snoozes, 0) > 1) - (ifnull(snoozes, 0) > 127)), NULL),
       key, ties, unique_key, unique_for_s, snoozes
FROM main._honker_dead
WHERE id = ?1 AND (?2 IS NULL OR queue = ?2)
ON CONFLICT DO NOTHING
