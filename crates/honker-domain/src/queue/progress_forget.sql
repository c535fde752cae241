-- Forgets the progress of a job.
-- ?1 job_id.
-- Index: the primary key. Lock: write.
DELETE FROM main._honker_progress WHERE job_id = ?1
