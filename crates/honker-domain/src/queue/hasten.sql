-- Makes a waiting job due.
-- ?1 id, ?2 the second that has begun.
-- Index: the primary key; paid are those of run_at. Lock: write.
UPDATE main._honker_live SET run_at = ?2 WHERE id = ?1 AND state = 'pending' AND run_at > ?2
