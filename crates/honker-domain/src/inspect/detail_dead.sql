-- The facts about a dead letter that a list leaves out.
-- ?1 id.
-- Returns the columns of detail_live.sql.
-- Index: the primary key. Lock: read.
SELECT payload, last_error, unique_key, NULL, expires_at, NULL, snoozes, NULL FROM main._honker_dead WHERE id = ?1
