-- Deletes the attempts of a job between its first ones and its last.
-- ?1 job_id, ?2 how many first ones stay, ?3 how many last ones stay.
-- Numbers grow by one, so at most one row is too many, and the last ones begin at the greatest number less their count.
-- Index: the primary key. Lock: write.
DELETE FROM main._honker_attempts
WHERE job_id = ?1 AND number > ?2
  AND number <= (SELECT max(number) FROM main._honker_attempts WHERE job_id = ?1) - ?3
