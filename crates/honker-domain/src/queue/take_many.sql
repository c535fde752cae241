-- Leases several plain jobs that wait to a worker and charges their attempts, as take.sql does with one.
-- ?1 worker_id, ?2 claim_expires_at (instant), ?3 bytes of slack apart from those of the attempt, then ids or NULL: ?4 first,
-- ?5 second, ?6 third, ?7 fourth, ?8 fifth, ?9 sixth, ?10 seventh, ?11 eighth, ?12 ninth, ?13 tenth, ?14 eleventh,
-- ?15 twelfth, ?16 thirteenth, ?17 fourteenth, ?18 fifteenth, ?19 sixteenth.
-- Index: the primary key, one seek a job. Lock: write.
UPDATE main._honker_live
SET state = 'processing', worker_id = ?1, claim_expires_at = ?2, attempts = attempts + 1,
    slack = iif(slack IS NULL, NULL, zeroblob(?3 - (attempts + 1 > 1) - (attempts + 1 > 127)))
WHERE id IN (?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
