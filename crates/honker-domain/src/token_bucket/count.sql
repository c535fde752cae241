-- Stores the level of a bucket.
-- ?1 name, ?2 missing, ?3 counted_at (instant), ?4 full_at (instant).
-- Index: the primary key, and _honker_index_token_buckets_full. Lock: write.
INSERT INTO main._honker_token_buckets (name, missing, counted_at, full_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (name) DO UPDATE
SET missing = excluded.missing, counted_at = excluded.counted_at, full_at = excluded.full_at
