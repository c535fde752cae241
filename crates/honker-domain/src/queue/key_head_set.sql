-- Makes a job the head of the line of its key, or removes it from there.
-- ?1 queue, ?2 key, ?3 the head, or NULL to remove the job, ?4 the job.
-- A line keeps the head that it has.
-- Index: the primary key. Lock: write.
INSERT INTO main._honker_keys (queue, key, head_id) SELECT ?1, ?2, ?3 WHERE ?3 IS NOT NULL OR EXISTS (
  SELECT 1 FROM main._honker_keys WHERE queue = ?1 AND key = ?2 AND head_id = ?4)
ON CONFLICT (queue, key) DO UPDATE SET head_id = excluded.head_id
