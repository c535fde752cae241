-- Adds a tie to a live job; changes no row that has it.
-- ?1 id, ?2 the tie.
-- Index: the primary key. Lock: write.
UPDATE main._honker_live SET ties = ifnull(ties, 0) | ?2 WHERE id = ?1 AND ifnull(ties, 0) & ?2 = 0
