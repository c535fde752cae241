-- Who holds a lock.
-- ?1 name, ?2 now (instant).
-- Returns owner; no row when it is free or has lapsed.
-- Index: the primary key. Lock: read.
SELECT owner FROM _honker_locks WHERE name = ?1 AND expires_at > ?2
