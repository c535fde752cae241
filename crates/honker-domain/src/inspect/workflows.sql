-- The records of workflows, the last one first.
-- ?1 topic, ?2 the offset to stay below.
-- Returns offset, payload, created_at.
-- Index: _honker_stream_topic, backwards from one seek. Lock: read.
SELECT offset, payload, created_at FROM main._honker_stream INDEXED BY _honker_stream_topic
WHERE topic = ?1 AND offset < ?2
ORDER BY offset DESC
