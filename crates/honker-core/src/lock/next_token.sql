-- Draws the next fencing token. The counter outlives the locks, whose rows go when they are released.
-- Index: the primary key. Lock: write.
UPDATE _honker_meta SET value = value + 1 WHERE key = 'lock_token'
