-- Makes a unique key free that a job has left behind.
-- ?1 queue, ?2 unique_key.
-- Index: the primary key; paid is that of the expiry. Lock: write.
DELETE FROM main._honker_unique WHERE queue = ?1 AND unique_key = ?2
