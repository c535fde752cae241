-- Gives a job that has not started the contents of a later one. It keeps its id, its key, its ties and its creation.
-- ?1 id, ?2 payload, ?3 priority, ?4 run_at (instant, as this file stores it), ?5 max_attempts, ?6 expires_at (instant, as
-- this file stores it, or NULL), ?7 slack (57 zero bytes, or NULL for a small payload), ?8 now (instant), ?9 the tie of a job
-- whose start the rate of its key has given: it does not start before.
-- A blocked job keeps its place in the line of its key, unless it is not due any more.
-- Index: the primary key; paid are those of the state, the key and the expiry. Lock: write.
UPDATE main._honker_live
SET payload = ?2, priority = ?3, max_attempts = ?5, expires_at = ?6, slack = ?7, last_error = NULL, unknown_since = NULL,
    state = iif(state = 'blocked' AND ?4 > ?8, 'pending', state),
    run_at = CASE WHEN state = 'blocked' AND ?4 <= ?8 THEN created_at
                  WHEN ifnull(ties, 0) & ?9 THEN max(run_at, ?4)
                  ELSE ?4 END
WHERE id = ?1
