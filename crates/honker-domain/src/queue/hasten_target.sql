-- A live job whose time may be brought forward.
-- ?1 id.
-- Returns state, run_at, ties.
-- Index: the primary key. Lock: read.
SELECT state, run_at, ties FROM main._honker_live WHERE id = ?1
