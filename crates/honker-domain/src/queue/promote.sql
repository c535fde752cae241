-- Makes a parked job a candidate of its key, behind the jobs of its priority that are due, so that keys take turns.
-- ?1 id, ?2 the second that has begun.
-- Index: the primary key; paid are those of the state. Lock: write.
UPDATE main._honker_live SET state = 'pending', run_at = ?2 WHERE id = ?1 AND state = 'blocked'
