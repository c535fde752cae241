-- How many events of a topic lie between two offsets, up to a limit.
-- ?1 topic, ?2 offset before the first, ?3 offset of the last, ?4 how many to count at most.
-- Returns count.
-- Index: _honker_stream_topic, one seek, then neighbours; no row is read. Lock: read.
SELECT count(*)
FROM (
  SELECT 1 FROM main._honker_stream INDEXED BY _honker_stream_topic
  WHERE topic = ?1 AND offset > ?2 AND offset <= ?3
  LIMIT +?4)
