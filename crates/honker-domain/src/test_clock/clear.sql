-- Remove both forms of the clock of a testing file, before one is written.
-- Index: the primary key of _honker_meta. Lock: write.
DELETE FROM main._honker_meta WHERE key IN ('test_clock_offset_ms', 'test_clock_stopped_ms')
