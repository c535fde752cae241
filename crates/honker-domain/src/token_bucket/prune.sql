-- Deletes a few buckets that are full again.
-- ?1 now (instant), ?2 how many at most.
-- Index: _honker_index_token_buckets_full, its head only. Lock: write.
DELETE FROM main._honker_token_buckets WHERE name IN (
  SELECT name FROM main._honker_token_buckets INDEXED BY _honker_index_token_buckets_full
  WHERE full_at <= ?1
  ORDER BY full_at
  LIMIT +?2
)
