-- Turns the counters or the events of the file on or off.
-- ?1 'counters' or 'events', ?2 1 or 0.
-- Index: the primary key of _honker_meta. Lock: write.
INSERT INTO main._honker_meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value
