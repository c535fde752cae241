-- Version 14: clocks that are set back. A process of an older honker, or of the reference, neither writes nor reads these
-- columns: it may fire boundaries twice after a wrong clock.

-- While `next_fire_at` is smaller: each boundary before this one has been passed under a clock that was ahead. NULL otherwise.
ALTER TABLE main._honker_scheduler_tasks ADD COLUMN fired_before INTEGER;
-- The time at which a clock was first seen that had been set back.
ALTER TABLE main._honker_scheduler_tasks ADD COLUMN set_back_at INTEGER;

-- A report that another worker met although it is dated in the future: its `seen_at`, and the time of that. They count only while
-- `seen_at` is still the same.
ALTER TABLE main._honker_workers ADD COLUMN ahead_seen_at INTEGER;
ALTER TABLE main._honker_workers ADD COLUMN ahead_met_at INTEGER;
