-- Deletes notifications that are too old or too many.
-- ?1 whole second before which a row is old, or NULL for none, ?2 how many of the newest rows of all channels to keep, or
-- NULL for all.
-- Reads the whole table by the primary key: created_at has no index, and this is for maintenance. Lock: write.
DELETE FROM main._honker_notifications
WHERE (?1 IS NOT NULL AND created_at < ?1)
   OR (?2 IS NOT NULL AND id <= (SELECT id FROM main._honker_notifications ORDER BY id DESC LIMIT 1 OFFSET +?2))
