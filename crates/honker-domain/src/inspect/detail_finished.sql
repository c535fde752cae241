-- The facts about a finished job that a list leaves out.
-- ?1 id.
-- Returns the columns of detail_live.sql.
-- Index: the primary key. Lock: read.
SELECT payload, last_error, NULL, NULL, NULL, NULL, NULL, NULL FROM main._honker_finished WHERE id = ?1
