-- True if the dead letter with this id, or the next smaller one, is of this queue.
-- ?1 id, ?2 queue or NULL, ?5 key or NULL; ?3 and ?4 as in sample_live.sql, unused.
-- Returns 1 or 0; no row if there is no such job.
-- Index: the primary key, one seek. Lock: read.
SELECT (?2 IS NULL OR queue = ?2) AND (?5 IS NULL OR ifnull(key = ?5, 0))
FROM main._honker_dead
WHERE id <= ?1
ORDER BY id DESC
LIMIT 1
