-- Deletes the attempts of the dead letters that dead_prune.sql deletes after it.
-- ?1 to ?6 are those of dead_prune.sql: ?1 queue, ?2 died_at and ?3 id of the youngest that is too many, ?4 whole second before
-- which one is old, ?5 how many at most, ?6 whole second after which a clock that was ahead has written it.
-- Index: _honker_index_dead_age, the head of the queue, and the primary key of _honker_attempts. Lock: write.
DELETE FROM main._honker_attempts WHERE job_id IN (
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
