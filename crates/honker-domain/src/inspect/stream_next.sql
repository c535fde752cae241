-- The first topic with events after another one.
-- ?1 the topic to begin after; '' for the first.
-- Returns topic; no row after the last.
-- Index: _honker_stream_topic, one seek; no row is read. Lock: read.
SELECT topic FROM main._honker_stream INDEXED BY _honker_stream_topic WHERE topic > ?1
ORDER BY topic
LIMIT 1
