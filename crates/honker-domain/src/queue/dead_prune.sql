-- Deletes dead letters of a queue, the oldest first.
-- ?1 queue, ?2 died_at and ?3 id of the youngest that is too many, or NULLs for none, ?4 whole second before which one is
-- old, or NULL for none, ?5 how many at most, ?6 whole second after which a clock that was ahead has written it, or NULL.
-- The + keeps SQLite 3.54 from preparing the statement again at each use.
-- Index: _honker_index_dead_age, the head of the queue. Lock: write.
DELETE FROM main._honker_dead WHERE id IN (
  SELECT id
  FROM (
    SELECT id, died_at
    FROM main._honker_dead INDEXED BY _honker_index_dead_age
    WHERE queue = +?1
    ORDER BY died_at, id
    LIMIT +?5
  )
  WHERE (died_at, id) <= (?2, ?3) OR died_at < ?4 OR died_at > ?6
)
