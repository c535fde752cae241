-- Makes an owner the holder of a free or lapsed lock, under the token drawn last.
-- ?1 name, ?2 owner, ?3 expires_at (instant), ?4 now (instant).
-- Index: the primary key. Lock: write.
INSERT OR REPLACE INTO main._honker_locks (name, owner, expires_at, taken_at, token)
SELECT ?1, ?2, ?3, ?4, value FROM main._honker_meta WHERE key = 'lock_token'
