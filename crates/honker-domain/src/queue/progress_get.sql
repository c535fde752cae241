-- The progress of a job at work.
-- ?1 job_id.
-- Returns done, total, note, updated_at; no row when it has reported none.
-- Index: the primary key. Lock: read.
SELECT done, total, note, updated_at FROM main._honker_progress WHERE job_id = ?1
