-- Ends several plain jobs whose claims were found to be held by held_many.sql, under the same write lock.
-- Ids or NULL: ?1 first, ?2 second, ?3 third, ?4 fourth, ?5 fifth, ?6 sixth, ?7 seventh, ?8 eighth, ?9 ninth, ?10 tenth,
-- ?11 eleventh, ?12 twelfth, ?13 thirteenth, ?14 fourteenth, ?15 fifteenth, ?16 sixteenth.
-- Index: the primary key, one seek a job. Lock: write.
DELETE FROM main._honker_live
WHERE id IN (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
