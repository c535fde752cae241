-- Appends an event.
-- ?1 topic, ?2 key or NULL, ?3 payload, ?4 created_at (whole second).
-- Index paid: _honker_stream_topic. Lock: write.
INSERT INTO main._honker_stream (topic, key, payload, created_at) VALUES (?1, ?2, ?3, ?4)
