-- Keeps the end of a parent for its children, with its result if one is kept, or that of an earlier copy.
-- ?1 job_id, ?2 state, ?3 error or NULL, ?4 now (instant).
-- Index: the primary keys. Lock: write.
INSERT INTO main._honker_outcomes (job_id, state, value, error)
VALUES (?1, ?2,
        (SELECT value FROM main._honker_results
         WHERE job_id = ?1 AND ?2 = 'done' AND (expires_at IS NULL OR expires_at > ?4)),
        ?3)
ON CONFLICT (job_id) DO UPDATE SET state = excluded.state, value = ifnull(excluded.value, value), error = excluded.error
