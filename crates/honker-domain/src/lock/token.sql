-- The fencing token of a lock that is held.
-- ?1 name, ?2 owner, ?3 now (instant), ?4 the latest end that a lock may have now (instant).
-- Returns token.
-- Index: the primary key. Lock: read.
SELECT token FROM main._honker_locks WHERE name = ?1 AND owner = ?2 AND expires_at > ?3 AND expires_at <= ?4
  AND typeof(expires_at) IN ('integer', 'real')
