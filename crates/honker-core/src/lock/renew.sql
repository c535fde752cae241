-- Extends a lock that is held.
-- ?1 name, ?2 owner, ?3 expires_at (instant), ?4 now (instant).
-- Index: the primary key. Lock: write.
UPDATE main._honker_locks SET expires_at = ?3 WHERE name = ?1 AND owner = ?2 AND expires_at > ?4
  AND typeof(expires_at) IN ('integer', 'real')
