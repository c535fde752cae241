-- Notes that one parent of a waiting job has ended, and others have not.
-- ?1 id.
-- Index: the primary key. Lock: write.
UPDATE main._honker_live SET waiting_for = waiting_for - 1 WHERE id = ?1 AND state = 'waiting'
