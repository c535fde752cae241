-- Takes the write lock, waiting for it by the busy handler, and changes no row.
-- No parameters, no columns.
-- Index: none, since no row is looked for. Lock: write.
UPDATE main._honker_meta SET value = value WHERE false
