-- The settings of a queue, NULL where none was ever set; -1, 0 or an empty text where one was removed.
-- ?1 queue.
-- Returns 1, paused_at, paused_until, pause_reason, concurrency, concurrency_per_key, ordered, on_dead, rate_limit, rate_per_s,
-- key_rate_limit, key_rate_per_s, burst, keep_finished_s, next_start_ms, paused_keys, 1 if none but limits of the jobs in
-- flight was ever set, else 0; no row for a queue without settings.
-- Index: the primary key of _honker_queues. Lock: read.
SELECT 1, paused_at, paused_until, pause_reason, concurrency, concurrency_per_key, ordered, on_dead, rate_limit, rate_per_s,
       key_rate_limit, key_rate_per_s, burst, keep_finished_s, next_start_ms, paused_keys,
       coalesce(paused_at, ordered, on_dead, rate_limit, key_rate_limit, keep_finished_s, paused_keys) IS NULL
FROM main._honker_queues
WHERE name = ?1
