-- Deletes a few rows of unique keys that are free again.
-- ?1 now (instant), ?2 the most rows.
-- Index: _honker_index_unique_expiry, the expired head. Lock: write.
DELETE FROM main._honker_unique
WHERE (queue, unique_key) IN (
  SELECT queue, unique_key FROM main._honker_unique INDEXED BY _honker_index_unique_expiry WHERE expires_at <= ?1 LIMIT ?2
)
