-- Adds a tie to a live job; changes no row that has it. The slack gives the bytes that the ties gain.
-- ?1 id, ?2 the tie.
-- Index: the primary key. Lock: write.
UPDATE main._honker_live
SET ties = ifnull(ties, 0) | ?2,
    slack = iif(slack IS NULL, NULL, zeroblob(
      length(slack) + (ifnull(ties, 0) > 1) + (ifnull(ties, 0) > 127)
      - ((ifnull(ties, 0) | ?2) > 1) - ((ifnull(ties, 0) | ?2) > 127)))
WHERE id = ?1 AND ifnull(ties, 0) & ?2 = 0
