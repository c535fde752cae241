-- Adds one pending job with a fraction in `run_at` or `expires_at`; enqueue.sql adds the others.
-- ?1 queue, ?2 payload, ?3 priority, ?4 run_at (instant), ?5 max_attempts, ?6 expires_at (instant or NULL),
-- ?7 created_at (whole second), ?8 slack (57 zero bytes, or NULL for a small payload; see 0006_slack.sql),
-- ?9 run_at and ?10 expires_at in whole seconds for a shared file, or NULL where the instant is whole or NULL already.
-- Index: that of _honker_meta, only for an instant with a fraction.
-- Index paid: _honker_index_live_ready, and _honker_index_live_expiry for a job that expires. Lock: write.
INSERT INTO main._honker_live (queue, payload, priority, run_at, max_attempts, expires_at, created_at, slack)
VALUES (
  ?1, ?2, ?3,
  iif(?9 IS NOT NULL AND EXISTS (SELECT 1 FROM main._honker_meta WHERE key = 'shared'), ?9, ?4),
  ?5,
  iif(?10 IS NOT NULL AND EXISTS (SELECT 1 FROM main._honker_meta WHERE key = 'shared'), ?10, ?6),
  ?7, ?8
)
