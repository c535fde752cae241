-- The job that has succeeded and whose unique key may stay taken.
-- ?1 queue, ?2 unique_key.
-- Returns job_id, expires_at, unique_for_s; no row if no job has left the key behind.
-- Index: the primary key. Lock: read.
SELECT job_id, expires_at, unique_for_s FROM main._honker_unique WHERE queue = ?1 AND unique_key = ?2
