-- The records of workflows from an offset on, the first one first.
-- ?1 topic, ?2 the smallest offset.
-- Returns offset, payload.
-- Index: _honker_stream_topic, forwards from one seek. Lock: read.
SELECT offset, payload FROM main._honker_stream INDEXED BY _honker_stream_topic
WHERE topic = ?1 AND offset >= ?2
ORDER BY offset
