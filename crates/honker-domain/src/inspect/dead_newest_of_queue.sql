-- The newest dead letters of a queue: those that died last.
-- ?1 characters of the payload, ?2 characters of the beginning and of the end of the error, ?3 queue.
-- Returns the columns of dead_newest.sql.
-- Index: _honker_index_dead_age, backwards from one seek. Lock: read.
SELECT id, queue, died_at, substr(payload, 1, ?1), substr(last_error, 1, ?2), substr(last_error, -?2)
FROM main._honker_dead INDEXED BY _honker_index_dead_age
WHERE queue = ?3
ORDER BY died_at DESC
