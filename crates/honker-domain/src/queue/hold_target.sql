-- The queue and the key of a live job.
-- ?1 id.
-- Returns queue, key; no row when the job has ended.
-- Index: the primary key. Lock: read.
SELECT queue, key FROM main._honker_live WHERE id = ?1
