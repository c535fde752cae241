-- Deletes the row of a worker.
-- ?1 name.
-- Index: the primary key; _honker_index_workers_seen is paid. Lock: write.
DELETE FROM main._honker_workers WHERE name = ?1
