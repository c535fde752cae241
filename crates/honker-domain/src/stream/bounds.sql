-- The first and the last offset of the log.
-- Returns both, or NULLs for an empty log.
-- Index: the primary key, both ends. Lock: read.
SELECT (SELECT offset FROM main._honker_stream ORDER BY offset LIMIT 1),
       (SELECT offset FROM main._honker_stream ORDER BY offset DESC LIMIT 1)
