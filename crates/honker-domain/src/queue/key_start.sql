-- When the next start of a key is due by its rate.
-- ?1 queue, ?2 key.
-- Returns next_start_ms; no row for a key that has not started lately.
-- Index: the primary key. Lock: read.
SELECT next_start_ms FROM main._honker_keys WHERE queue = ?1 AND key = ?2
