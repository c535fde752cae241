-- Ends of parents that no job is tied to.
-- No parameters.
-- Returns job_id.
-- Reads the whole table: only for maintenance. Lock: read.
SELECT job_id FROM main._honker_outcomes
WHERE NOT EXISTS (SELECT 1 FROM main._honker_dependencies WHERE parent_id = job_id)
