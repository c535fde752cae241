-- Continues a run of snoozes: the last attempt of the job, if that was snoozed too.
-- ?1 job_id, ?2 ended_at (instant), ?3 run_s or NULL, ?4 worker_id.
-- Index: the primary key. Lock: write.
UPDATE main._honker_attempts SET ended_at = ?2, run_s = ?3, worker_id = ?4
WHERE job_id = ?1 AND number = (SELECT max(number) FROM main._honker_attempts WHERE job_id = ?1) AND outcome = 'snoozed'
