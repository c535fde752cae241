-- Deletes the oldest notifications, if they are old enough.
-- ?1 whole second before which a row is old, ?2 how many at most, ?3 whole second after which a clock that was ahead has
-- written a row.
-- Only the first rows are looked at: ids grow with time, and a search for old rows further on would read the table.
-- Index: the primary key, its head only. Lock: write.
DELETE FROM main._honker_notifications WHERE id IN (
  SELECT id FROM (SELECT id, created_at FROM main._honker_notifications ORDER BY id LIMIT +?2) WHERE created_at < ?1 OR created_at > ?3
)
