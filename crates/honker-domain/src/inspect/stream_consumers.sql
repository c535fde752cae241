-- The offsets that consumers have saved, by consumer.
-- ?1 how many at most.
-- Returns topic, name, offset.
-- Index: the primary key, read from its head, one row a consumer and topic. Lock: read.
SELECT topic, name, offset FROM main._honker_stream_consumers WHERE name > ''
ORDER BY name
LIMIT +?1
