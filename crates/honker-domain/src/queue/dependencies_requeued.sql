-- Notes that a dead parent lives again.
-- ?1 job_id.
-- Index: the primary key. Lock: write.
UPDATE main._honker_outcomes SET state = 'requeued' WHERE job_id = ?1
