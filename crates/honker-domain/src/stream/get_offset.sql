-- A consumer's offset.
-- ?1 consumer, ?2 topic.
-- Returns offset; no row when it has saved none.
-- Index: the primary key. Lock: read.
SELECT offset FROM main._honker_stream_consumers WHERE name = ?1 AND topic = ?2
