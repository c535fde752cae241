-- Marks a dead letter as a parent, so that its requeue looks for children.
-- ?1 id, ?2 the bit of its ties.
-- Index: the primary key. Lock: write.
UPDATE main._honker_dead SET ties = ifnull(ties, 0) | ?2 WHERE id = ?1 AND ifnull(ties, 0) & ?2 = 0
