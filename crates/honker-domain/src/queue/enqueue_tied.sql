-- Adds one job that stands in a relation to others; enqueue.sql adds plain ones.
-- ?1 queue, ?2 payload, ?3 priority, ?4 run_at (instant, as this file stores it), ?5 max_attempts, ?6 expires_at (instant, as
-- this file stores it, or NULL), ?7 created_at (whole second), ?8 slack (57 zero bytes, or NULL for a small payload),
-- ?9 state (pending, blocked or waiting), ?10 key, ?11 ties, ?12 unique_key, ?13 unique_for_s, ?14 waiting_for; NULL for none.
-- Index paid: those of the state, the key, the unique key and the expiry. Lock: write.
INSERT INTO main._honker_live (queue, payload, priority, run_at, max_attempts, expires_at, created_at, slack, state, key,
                               ties, unique_key, unique_for_s, waiting_for)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
