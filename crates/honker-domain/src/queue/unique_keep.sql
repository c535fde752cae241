-- Keeps the unique key of a live job taken that is about to end.
-- ?1 id, ?2 the second that has begun.
-- A job whose key has gone to another one leaves nothing behind. A row of the same key is that of an earlier job.
-- Index: the primary keys; paid is that of the expiry. Lock: write.
INSERT OR REPLACE INTO main._honker_unique (queue, unique_key, job_id, expires_at, unique_for_s)
SELECT queue, unique_key, id, ?2 + 1 + unique_for_s, unique_for_s
FROM main._honker_live
WHERE id = ?1 AND unique_key IS NOT NULL AND unique_for_s IS NOT NULL
