-- Makes a job wait for a worker whose parents are all settled. A time of its own that is still to come stays.
-- ?1 id, ?2 the second that has begun.
-- Index: the primary key; paid are those of the state. Lock: write.
UPDATE main._honker_live SET state = 'pending', run_at = max(run_at, ?2), waiting_for = NULL
WHERE id = ?1 AND state = 'waiting'
