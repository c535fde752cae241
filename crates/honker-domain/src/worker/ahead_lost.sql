-- Dates the report of a lost worker by the clock that was set back.
-- ?1 name, ?2 seen_at (instant).
-- Index: the primary key; _honker_index_workers_seen is paid. Lock: write.
UPDATE main._honker_workers SET seen_at = ?2, ahead_seen_at = NULL, ahead_met_at = NULL WHERE name = ?1
