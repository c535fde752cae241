-- Finished jobs that have been kept for long enough, of any queue, and those of one queue that a clock that was ahead has dated.
-- ?1 now (instant), ?2 how many at most of each, ?3 queue, ?4 the instant after which a clock that was ahead wrote the date.
-- Returns id.
-- Index: the head of _honker_index_finished_expiry and the tail of _honker_index_finished_age. Lock: read.
SELECT id FROM (
  SELECT id FROM main._honker_finished INDEXED BY _honker_index_finished_expiry WHERE expires_at <= ?1 LIMIT +?2
)
UNION ALL
SELECT id FROM (
  SELECT id FROM main._honker_finished INDEXED BY _honker_index_finished_age WHERE queue = ?3 AND finished_at > ?4 LIMIT +?2
)
