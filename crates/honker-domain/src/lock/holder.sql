-- Who holds a lock.
-- ?1 name, ?2 now (instant), ?3 the latest end that a lock may have now (instant).
-- Returns owner, expires_at, taken_at (instant or NULL); no row when it is free or has lapsed. A lock that was edited into
-- having no end or no owner is free: a text sorts above every number, and would be held for ever.
-- Index: the primary key. Lock: read.
SELECT owner, expires_at, taken_at
FROM main._honker_locks
WHERE name = ?1 AND expires_at > ?2 AND expires_at <= ?3
  AND typeof(expires_at) IN ('integer', 'real') AND typeof(owner) = 'text'
