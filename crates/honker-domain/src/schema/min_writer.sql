-- The writer version that the file demands.
-- Returns value; no row in a file without a demand.
-- Index: the primary key of _honker_meta. Lock: read.
SELECT value FROM main._honker_meta WHERE key = 'min_writer_version'
