-- The last event of a topic that is not among its newest.
-- ?1 topic, ?2 how many newest to pass over.
-- Returns offset; no row when there are no more than those.
-- Index: _honker_stream_topic, backwards over the newest; no row is read. Lock: read.
SELECT offset FROM main._honker_stream INDEXED BY _honker_stream_topic
WHERE topic = ?1
ORDER BY offset DESC
LIMIT 1 OFFSET +?2
