-- The first and the last event of a topic, and when the last was published.
-- ?1 topic.
-- Returns first_offset, last_offset, created_at, each NULL without events.
-- Index: _honker_stream_topic, a seek for each; the primary key. Lock: read.
SELECT
  (SELECT offset FROM main._honker_stream INDEXED BY _honker_stream_topic WHERE topic = ?1 ORDER BY offset LIMIT 1),
  (SELECT offset FROM main._honker_stream INDEXED BY _honker_stream_topic WHERE topic = ?1 ORDER BY offset DESC LIMIT 1),
  (SELECT created_at FROM main._honker_stream INDEXED BY _honker_stream_topic WHERE topic = ?1 ORDER BY offset DESC LIMIT 1)
