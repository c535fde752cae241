-- The parents of a job with their ends.
-- ?1 child_id, ?2 now (instant).
-- Returns position, parent_id, outcome, value, error.
-- Index: _honker_index_dependencies_child and the primary keys. Lock: read.
SELECT edge.position, edge.parent_id, edge.outcome,
       iif(edge.outcome = 'done', ifnull(o.value, r.value), NULL),
       iif(edge.outcome IN ('dead', 'cancelled'), ifnull(o.error, d.last_error), NULL)
FROM main._honker_dependencies AS edge INDEXED BY _honker_index_dependencies_child
LEFT JOIN main._honker_outcomes AS o ON o.job_id = edge.parent_id
LEFT JOIN main._honker_results AS r ON r.job_id = edge.parent_id AND (r.expires_at IS NULL OR r.expires_at > ?2)
LEFT JOIN main._honker_dead AS d ON d.id = edge.parent_id
WHERE edge.child_id = ?1
