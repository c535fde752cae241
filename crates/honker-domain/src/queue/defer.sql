-- Gives a waiting job the start time that the rate of its key allows.
-- ?1 id, ?2 run_at (instant), ?3 the tie that says so.
-- Index: the primary key; paid are those of run_at. Lock: write.
UPDATE main._honker_live SET run_at = ?2, ties = ifnull(ties, 0) | ?3 WHERE id = ?1 AND state = 'pending'
