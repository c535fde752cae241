-- A job that waits for its parents.
-- ?1 id.
-- Returns queue, waiting_for; no row for a job in another state.
-- Index: the primary key. Lock: read.
SELECT queue, waiting_for FROM main._honker_live WHERE id = ?1 AND state = 'waiting'
