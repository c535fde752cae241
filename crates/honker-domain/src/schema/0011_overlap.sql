-- Version 11: schedules that pass over boundaries, and the clock of locks. Schedulers of an older honker, and of the reference,
-- enqueue at each boundary. They do not write `last_job_id` either, so the next tick of this version finds an older job.

-- What a boundary does while the job of the last firing has not ended, and while the queue is paused.
ALTER TABLE main._honker_scheduler_tasks ADD COLUMN overlap TEXT NOT NULL DEFAULT 'queue';
ALTER TABLE main._honker_scheduler_tasks ADD COLUMN when_paused TEXT NOT NULL DEFAULT 'enqueue';
ALTER TABLE main._honker_scheduler_tasks ADD COLUMN last_job_id INTEGER;

-- The time at which the owner took the lock or extended it; NULL for a lock of the reference or of an older honker. It is later
-- than now only if the clock was set back, and then expires_at - taken_at bounds the rest of the lock.
ALTER TABLE main._honker_locks ADD COLUMN taken_at INTEGER;
