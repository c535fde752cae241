-- The clock of a testing file.
-- Returns one row: offset_ms (NULL unless the clock runs) and stopped_ms (NULL unless it stands still). Both are NULL in an
-- ordinary file.
-- Index: the primary key of _honker_meta. Lock: read.
SELECT
  (SELECT value FROM main._honker_meta WHERE key = 'test_clock_offset_ms'),
  (SELECT value FROM main._honker_meta WHERE key = 'test_clock_stopped_ms')
