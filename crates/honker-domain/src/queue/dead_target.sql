-- A dead letter that is to be forgotten.
-- ?1 id.
-- Returns queue, key, ties, last_error.
-- Index: the primary key. Lock: read.
SELECT queue, key, ties, last_error FROM main._honker_dead WHERE id = ?1
