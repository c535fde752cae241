-- The queue and the beginning of the payload of a live job, for the record of its move.
-- ?1 id, ?2 1 to leave the payload out, else 0, ?3 1 for a job in flight only, else 0.
-- Returns queue, the payload's first characters or NULL: so many that the longest name of a task as JSON is among them.
-- Index: the primary key. Lock: read.
SELECT queue, iif(?2, NULL, substr(payload, 1, 1600)) FROM main._honker_live
WHERE id = ?1 AND (NOT ?3 OR state = 'processing')
