-- The ends of the ids of the live jobs up to an id.
-- ?1 the greatest id.
-- Returns the smallest id and the greatest, NULL if there is none.
-- Index: the primary key, one seek each. Lock: read.
SELECT (SELECT min(id) FROM main._honker_live WHERE id <= ?1), (SELECT max(id) FROM main._honker_live WHERE id <= ?1)
