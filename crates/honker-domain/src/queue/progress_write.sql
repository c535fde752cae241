-- Writes the progress of a job whose claim is held.
-- ?1 id, ?2 worker_id, ?3 attempt or NULL for any, ?4 now (instant), ?5 the second that now lies in, ?6 done, ?7 total, ?8 note
-- or NULL, ?9 updated_at (instant).
-- Index: the primary keys. Lock: write.
INSERT INTO main._honker_progress (job_id, done, total, note, updated_at)
SELECT id, ?6, ?7, ?8, ?9
FROM main._honker_live
WHERE id = ?1 AND worker_id = ?2 AND (?3 IS NULL OR attempts = ?3)
  AND (claim_expires_at >= ?4 OR claim_expires_at = ?5) AND state = 'processing'
ON CONFLICT (job_id) DO UPDATE SET
  done = excluded.done, total = excluded.total, note = excluded.note, updated_at = excluded.updated_at
