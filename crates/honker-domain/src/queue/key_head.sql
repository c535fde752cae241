-- A job that keeps the line of its key waiting: it is between two attempts, or dead. One
-- that stands in the line again does not.
-- ?1 id, ?2 queue, ?3 key, ?4 1 if a dead job counts, else 0.
-- Returns one row or none.
-- Index: the primary keys. Lock: read.
SELECT 1 FROM main._honker_live WHERE id = ?1 AND queue = ?2 AND key = ?3 AND state <> 'blocked'
UNION ALL
SELECT 1 FROM main._honker_dead WHERE id = ?1 AND queue = ?2 AND key = ?3 AND ?4
