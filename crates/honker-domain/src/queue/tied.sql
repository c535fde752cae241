-- A live job with ties.
-- ?1 id.
-- Returns queue, key, ties, 1 if it has an attempt left, else 0; no row for a plain job.
-- Index: the primary key. Lock: read.
SELECT queue, key, ties, attempts < max_attempts FROM main._honker_live WHERE id = ?1 AND ties IS NOT NULL
