-- Parks a waiting job whose key is full, at its place in the line of its key: jobs of a key run in the order in which they
-- were enqueued.
-- ?1 id.
-- Index: the primary key; paid are those of the state. Lock: write.
UPDATE main._honker_live SET state = 'blocked', run_at = created_at WHERE id = ?1 AND state = 'pending'
