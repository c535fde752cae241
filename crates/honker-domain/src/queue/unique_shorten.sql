-- Makes a unique key that stays taken free earlier.
-- ?1 queue, ?2 unique_key, ?3 expires_at (whole second).
-- Index: the primary key; paid is that of the expiry. Lock: write.
UPDATE main._honker_unique SET expires_at = ?3 WHERE queue = ?1 AND unique_key = ?2
