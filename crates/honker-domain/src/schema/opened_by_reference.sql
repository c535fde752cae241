-- The index that only the reference makes, when it opens a file.
-- Returns one row if it is there.
-- Index: none, the schema is read through. Lock: read.
SELECT 1 FROM main.sqlite_master WHERE type = 'index' AND name = '_honker_live_claim'
