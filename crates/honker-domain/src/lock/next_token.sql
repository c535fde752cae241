-- Draws the next fencing token. The counter outlives the locks, whose rows go when they are released.
-- Changes no row when the counter is gone or is no number to count on from.
-- Index: the primary key. Lock: write.
UPDATE main._honker_meta SET value = value + 1 WHERE key = 'lock_token' AND typeof(value) = 'integer' AND value BETWEEN 0 AND 9223372036854775806
