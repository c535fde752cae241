-- Plain jobs among several whose claims are still held by one worker under one attempt.
-- ?1 worker_id, ?2 attempt or NULL for any, ?3 now (instant), ?4 the second that now lies in, ?5 1 to read the payloads, else 0,
-- then ids or NULL: ?6 first, ?7 second, ?8 third, ?9 fourth, ?10 fifth, ?11 sixth, ?12 seventh, ?13 eighth, ?14 ninth,
-- ?15 tenth, ?16 eleventh, ?17 twelfth, ?18 thirteenth, ?19 fourteenth, ?20 fifteenth, ?21 sixteenth.
-- Returns id, queue, the beginning of the payload as subject.sql of the moves returns it, or NULL.
-- Index: the primary key, one seek a job. Lock: read.
SELECT id, queue, iif(?5, substr(payload, 1, 1600), NULL)
FROM main._honker_live
WHERE id IN (?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
  AND worker_id = ?1 AND (?2 IS NULL OR attempts = ?2) AND (claim_expires_at >= ?3 OR claim_expires_at = ?4)
  AND ties IS NULL
