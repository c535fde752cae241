-- One page of the registered workers, by name.
-- ?1 the name after which the page begins; '' for the first, ?2 how many at most.
-- Returns name, seen_at, beat_s, started_at, host, pid, pid_space, version, is_stopping, slots, busy, queues, worker_ids, running.
-- Index: the primary key. Lock: read.
SELECT name, seen_at, beat_s, started_at, host, pid, pid_space, version, is_stopping, slots, busy, queues, worker_ids, running
FROM main._honker_workers
WHERE name > ?1
ORDER BY name
LIMIT ?2
