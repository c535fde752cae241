-- Takes the unique key from a live job, for the one that runs after it.
-- ?1 id.
-- Index: the primary key; paid is that of the unique key. Lock: write.
UPDATE main._honker_live SET unique_key = NULL WHERE id = ?1
