-- Deletes the windows that began before an instant.
-- ?1 instant.
-- Reads the whole table, which holds little more than the windows in use. Lock: write.
DELETE FROM main._honker_rate_limits WHERE window_start < ?1
