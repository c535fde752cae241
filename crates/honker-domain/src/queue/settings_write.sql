-- Writes the settings of a queue. Its pause and the state of its rate are left alone.
-- ?1 queue, ?2 concurrency, ?3 concurrency_per_key, ?4 ordered (1 or 0), ?5 on_dead, ?6 rate_limit, ?7 rate_per_s,
-- ?8 key_rate_limit, ?9 key_rate_per_s, ?10 burst, ?11 keep_finished_s. NULL for a setting that was never set; -1, or an empty
-- on_dead, for one that was removed.
-- Index: the primary key of _honker_queues. Lock: write.
INSERT INTO main._honker_queues (name, concurrency, concurrency_per_key, ordered, on_dead, rate_limit, rate_per_s,
                                 key_rate_limit, key_rate_per_s, burst, keep_finished_s)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (name) DO UPDATE SET
  concurrency = excluded.concurrency, concurrency_per_key = excluded.concurrency_per_key, ordered = excluded.ordered,
  on_dead = excluded.on_dead, rate_limit = excluded.rate_limit, rate_per_s = excluded.rate_per_s,
  key_rate_limit = excluded.key_rate_limit, key_rate_per_s = excluded.key_rate_per_s, burst = excluded.burst,
  keep_finished_s = excluded.keep_finished_s
