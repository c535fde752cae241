-- The unique key that a dead letter takes again when it is requeued.
-- ?1 id, ?2 queue or NULL for any.
-- Returns queue, unique_key; no row if it has none.
-- Index: the primary key. Lock: read.
SELECT queue, unique_key FROM main._honker_dead WHERE id = ?1 AND (?2 IS NULL OR queue = ?2) AND unique_key IS NOT NULL
