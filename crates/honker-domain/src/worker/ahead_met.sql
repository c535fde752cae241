-- Notes that a report was met that is dated in the future.
-- ?1 name, ?2 now (instant).
-- Index: the primary key. Lock: write.
UPDATE main._honker_workers SET ahead_seen_at = seen_at, ahead_met_at = ?2 WHERE name = ?1
