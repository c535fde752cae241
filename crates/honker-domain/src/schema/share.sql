-- Marks the file as shared with the reference, and rounds what it holds to whole seconds, the only form that the reference
-- reads. Nothing becomes early: what is to come is rounded up, the end of a lease to the last second in which it holds.
-- Several statements, for a write transaction. No parameters.
-- Index: none, each table is read from end to end: once in the life of a file. Lock: write.
INSERT OR REPLACE INTO main._honker_meta (key, value) VALUES ('shared', 1);
UPDATE main._honker_live SET run_at = CAST(run_at AS INTEGER) + (run_at > CAST(run_at AS INTEGER))
WHERE typeof(run_at) = 'real';
UPDATE main._honker_live SET expires_at = CAST(expires_at AS INTEGER) + (expires_at > CAST(expires_at AS INTEGER))
WHERE typeof(expires_at) = 'real';
UPDATE main._honker_live SET claim_expires_at = CAST(claim_expires_at AS INTEGER) - (claim_expires_at < CAST(claim_expires_at AS INTEGER))
WHERE typeof(claim_expires_at) = 'real';
UPDATE main._honker_live SET created_at = CAST(created_at AS INTEGER) - (created_at < CAST(created_at AS INTEGER))
WHERE typeof(created_at) = 'real';
UPDATE main._honker_dead SET run_at = CAST(run_at AS INTEGER) + (run_at > CAST(run_at AS INTEGER))
WHERE typeof(run_at) = 'real';
UPDATE main._honker_dead SET expires_at = CAST(expires_at AS INTEGER) + (expires_at > CAST(expires_at AS INTEGER))
WHERE typeof(expires_at) = 'real';
UPDATE main._honker_dead SET created_at = CAST(created_at AS INTEGER) - (created_at < CAST(created_at AS INTEGER))
WHERE typeof(created_at) = 'real';
UPDATE main._honker_dead SET died_at = CAST(died_at AS INTEGER) - (died_at < CAST(died_at AS INTEGER))
WHERE typeof(died_at) = 'real';
UPDATE main._honker_locks SET expires_at = CAST(expires_at AS INTEGER) + (expires_at > CAST(expires_at AS INTEGER))
WHERE typeof(expires_at) = 'real';
UPDATE main._honker_results SET expires_at = CAST(expires_at AS INTEGER) + (expires_at > CAST(expires_at AS INTEGER))
WHERE typeof(expires_at) = 'real';
UPDATE main._honker_results SET created_at = CAST(created_at AS INTEGER) - (created_at < CAST(created_at AS INTEGER))
WHERE typeof(created_at) = 'real';
UPDATE main._honker_scheduler_tasks SET next_fire_at = CAST(next_fire_at AS INTEGER) + (next_fire_at > CAST(next_fire_at AS INTEGER))
WHERE typeof(next_fire_at) = 'real';
UPDATE main._honker_stream SET created_at = CAST(created_at AS INTEGER) - (created_at < CAST(created_at AS INTEGER))
WHERE typeof(created_at) = 'real';
UPDATE main._honker_notifications SET created_at = CAST(created_at AS INTEGER) - (created_at < CAST(created_at AS INTEGER))
WHERE typeof(created_at) = 'real';
-- Windows that began within one second become one. Its limit may then be reached sooner, never later.
INSERT INTO main._honker_rate_limits (name, window_start, count, expires_at)
SELECT name, CAST(window_start AS INTEGER) - (window_start < CAST(window_start AS INTEGER)), sum(count), CAST(max(expires_at) AS INTEGER) + (max(expires_at) > CAST(max(expires_at) AS INTEGER))
FROM main._honker_rate_limits
WHERE typeof(window_start) = 'real'
GROUP BY 1, 2
ON CONFLICT (name, window_start) DO UPDATE SET count = count + excluded.count;
DELETE FROM main._honker_rate_limits WHERE typeof(window_start) = 'real';
