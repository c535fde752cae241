-- Raises a consumer's offset; changes no row if that would lower it or leave it.
-- ?1 consumer, ?2 topic, ?3 offset.
-- Index: the primary key. Lock: write.
INSERT INTO main._honker_stream_consumers (name, topic, offset) VALUES (?1, ?2, ?3)
ON CONFLICT (name, topic) DO UPDATE SET offset = excluded.offset WHERE excluded.offset > offset
