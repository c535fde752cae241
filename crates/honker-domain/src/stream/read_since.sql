-- Events of a topic after an offset.
-- ?1 topic, ?2 offset, ?3 how many at most, negative for all.
-- Returns offset, topic, key, payload, created_at, in order of offset.
-- Index: _honker_stream_topic, one seek, then neighbours. Lock: read.
SELECT offset, topic, key, payload, created_at
FROM main._honker_stream INDEXED BY _honker_stream_topic
WHERE topic = ?1 AND offset > ?2
ORDER BY offset
LIMIT +?3
