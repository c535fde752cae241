-- Adds one pending job.
-- ?1 queue, ?2 payload, ?3 priority, ?4 run_at (instant), ?5 max_attempts, ?6 expires_at (instant or NULL),
-- ?7 created_at (whole second).
-- Index paid: _honker_live_ready, and _honker_live_expiry for a job that expires. Lock: write.
INSERT INTO _honker_live (queue, payload, priority, run_at, max_attempts, expires_at, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
