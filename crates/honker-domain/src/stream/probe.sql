-- The first event within a range of offsets.
-- ?1 the range's start, ?2 its end, exclusive.
-- Returns offset, created_at; no row when the range is empty.
-- Index: the primary key, one seek. Lock: read.
SELECT offset, created_at FROM main._honker_stream WHERE offset >= ?1 AND offset < ?2 ORDER BY offset LIMIT 1
