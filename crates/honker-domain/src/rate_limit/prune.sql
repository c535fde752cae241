-- Deletes a few windows that have ended.
-- ?1 now (instant), ?2 how many at most.
-- Index: _honker_index_rate_limits_expiry, its head only. Lock: write.
DELETE FROM main._honker_rate_limits WHERE rowid IN (
  SELECT rowid FROM main._honker_rate_limits INDEXED BY _honker_index_rate_limits_expiry
  WHERE expires_at IS NOT NULL AND expires_at <= ?1
  ORDER BY expires_at
  LIMIT +?2
)
