-- Extends a lock that is held.
-- ?1 name, ?2 owner, ?3 expires_at (instant), ?4 now (instant), ?5 expires_at in whole seconds for a shared file, or NULL
-- where it is whole already, ?6 the latest end that a lock may have now (instant).
-- Index: the primary keys of _honker_locks and _honker_meta. Lock: write.
UPDATE main._honker_locks SET
  expires_at = iif(?5 IS NOT NULL AND EXISTS (SELECT 1 FROM main._honker_meta WHERE key = 'shared'), ?5, ?3),
  taken_at = ?4
WHERE name = ?1 AND owner = ?2 AND expires_at > ?4 AND expires_at <= ?6
  AND typeof(expires_at) IN ('integer', 'real')
