-- The mark of a file that is shared with the reference.
-- Returns one row, or none in a file of ours.
-- Index: the primary key of _honker_meta. Lock: read.
SELECT 1 FROM main._honker_meta WHERE key = 'shared'
