-- Adds one pending job whose instants are whole seconds; enqueue_fraction.sql adds the others.
-- ?1 queue, ?2 payload, ?3 priority, ?4 run_at (instant), ?5 max_attempts, ?6 expires_at (instant or NULL),
-- ?7 created_at (whole second), ?8 slack (57 zero bytes, or NULL for a small payload; see 0006_slack.sql).
-- Index paid: _honker_index_live_ready, and _honker_index_live_expiry for a job that expires. Lock: write.
INSERT INTO main._honker_live (queue, payload, priority, run_at, max_attempts, expires_at, created_at, slack)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
