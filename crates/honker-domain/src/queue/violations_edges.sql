-- Ties of jobs that are gone, and failures of parents that ought to have cancelled a job.
-- No parameters.
-- Returns parent_id, child_id, then state, queue and key of the child; NULLs if it is gone.
-- Reads the whole table: only for maintenance. Lock: read.
SELECT edge.parent_id, edge.child_id, child.state, child.queue, child.key
FROM main._honker_dependencies AS edge LEFT JOIN main._honker_live AS child ON child.id = edge.child_id
WHERE (child.id IS NULL AND NOT EXISTS (SELECT 1 FROM main._honker_dead WHERE id = edge.child_id))
   OR (child.id IS NOT NULL AND edge.policy = 'cancel' AND edge.outcome IN ('dead', 'cancelled'))
