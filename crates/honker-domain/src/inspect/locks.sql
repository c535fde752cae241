-- Locks by name, held or lapsed.
-- ?1 the name to begin after; '' for the first.
-- Returns name, owner, expires_at, taken_at, token, and 1 if the types are those of a lock.
-- Index: the primary key, one seek, then neighbours. Lock: read.
SELECT name, owner, expires_at, taken_at, token, typeof(expires_at) IN ('integer', 'real') AND typeof(owner) = 'text'
FROM main._honker_locks
WHERE name > ?1
ORDER BY name
