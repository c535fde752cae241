-- All jobs that wait for parents.
-- No parameters.
-- Returns id, queue, key, waiting_for, and how many of its parents have no outcome.
-- Reads the whole table: only for maintenance. Lock: read.
SELECT id, queue, key, waiting_for,
       (SELECT count(*) FROM main._honker_dependencies WHERE child_id = id AND outcome IS NULL)
FROM main._honker_live
WHERE state = 'waiting'
