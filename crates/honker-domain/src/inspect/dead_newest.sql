-- The newest dead letters of all queues: those with the greatest ids.
-- ?1 characters of the payload, ?2 characters of the beginning and of the end of the error, ?3 the id to stay below.
-- Returns id, queue, died_at, the beginning of payload, the beginning and the end of last_error.
-- Index: the primary key, backwards. Lock: read.
SELECT id, queue, died_at, substr(payload, 1, ?1), substr(last_error, 1, ?2), substr(last_error, -?2)
FROM main._honker_dead
WHERE id < ?3
ORDER BY id DESC
