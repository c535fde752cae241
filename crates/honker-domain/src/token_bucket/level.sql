-- What a bucket held when it was last counted.
-- ?1 name.
-- Returns missing, counted_at; no row when the bucket is full.
-- Index: the primary key. Lock: read.
SELECT missing, counted_at FROM main._honker_token_buckets WHERE name = ?1
