-- Marks a live job as a parent.
-- ?1 id, ?2 the bit of its ties.
-- Index: the primary key. Lock: write.
UPDATE main._honker_live SET ties = ifnull(ties, 0) | ?2 WHERE id = ?1 AND ifnull(ties, 0) & ?2 = 0
