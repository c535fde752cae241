-- Deletes events from the beginning of a topic.
-- ?1 topic, ?2 the last offset that is too many, or NULL for none, ?3 whole second before which an event is old, or NULL
-- for none, ?4 how many at most, ?5 whole second after which a clock that was ahead has written an event, or NULL.
-- Only the first events are looked at: time grows with offsets, and a search for old ones further on would read the
-- topic.
-- The + keeps SQLite 3.54 from preparing the statement again at each use.
-- Index: _honker_stream_topic, the head of the topic. Lock: write.
DELETE FROM main._honker_stream WHERE offset IN (
  SELECT offset
  FROM (
    SELECT offset, created_at
    FROM main._honker_stream INDEXED BY _honker_stream_topic
    WHERE topic = +?1
    ORDER BY offset
    LIMIT +?4
  )
  WHERE offset <= ?2 OR created_at < ?3 OR created_at > ?5
)
