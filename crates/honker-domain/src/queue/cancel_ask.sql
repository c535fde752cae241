-- Asks the worker of a job to end it. The first request stays.
-- ?1 id, ?2 now (instant), ?3 the tie that says so.
-- Index: the primary key. Lock: write.
UPDATE main._honker_live SET cancel_requested_at = ifnull(cancel_requested_at, ?2), ties = ifnull(ties, 0) | ?3 WHERE id = ?1
