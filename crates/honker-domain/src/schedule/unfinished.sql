-- Looks for the job of a schedule's last firing.
-- ?1 id, ?2 now (instant).
-- Returns 1 if the job is at work or may still run, else 0. One that expired before a worker took it will not run.
-- Index: the primary key. Lock: read.
SELECT EXISTS (
  SELECT 1 FROM main._honker_live WHERE id = ?1 AND (state = 'processing' OR expires_at IS NULL OR expires_at > ?2)
)
