-- Version 14: the boundaries that a schedule had reached when its clock was set back. A process of an older honker, or of
-- the reference, neither writes nor reads them: it may fire boundaries twice after a wrong clock.

-- While `next_fire_at` is smaller: each boundary before this one has been passed under a clock that was ahead. NULL otherwise.
ALTER TABLE main._honker_scheduler_tasks ADD COLUMN fired_before INTEGER;
-- The time at which a clock was first seen that had been set back.
ALTER TABLE main._honker_scheduler_tasks ADD COLUMN set_back_at INTEGER;
