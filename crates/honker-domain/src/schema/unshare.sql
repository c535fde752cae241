-- Removes the mark of a shared file. Rows keep their whole seconds.
-- Index: the primary key of _honker_meta. Lock: write.
DELETE FROM main._honker_meta WHERE key = 'shared'
