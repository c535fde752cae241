-- Counts one use in a window, unless the window is full.
-- ?1 name, ?2 window_start (instant), ?3 limit, ?4 expires_at (instant): the window's end.
-- Returns count; no row when the window is full.
-- Index: the primary key. Lock: write.
INSERT INTO main._honker_rate_limits (name, window_start, count, expires_at) VALUES (?1, ?2, 1, ?4)
ON CONFLICT (name, window_start) DO UPDATE SET count = count + 1 WHERE count < ?3
RETURNING count
