-- A live job that is due.
-- ?1 id, ?2 now (instant).
-- Returns one row or none.
-- Index: the primary key. Lock: read.
SELECT 1 FROM main._honker_live WHERE id = ?1 AND run_at <= ?2
