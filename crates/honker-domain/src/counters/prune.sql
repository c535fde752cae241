-- Deletes the minutes of a queue and task that are older than the time for which they are kept, but for the last of them, from
-- which the next one is counted, and those that a clock has dated into the future.
-- ?1 queue, ?2 task, ?3 minute (minutes since 1970), ?4 how many minutes are kept.
-- Index: the primary key. Lock: write.
DELETE FROM main._honker_counters
WHERE queue = ?1 AND task = ?2 AND (
  minute > ?3 OR minute < (
    SELECT max(minute) FROM main._honker_counters WHERE queue = ?1 AND task = ?2 AND minute <= ?3 - ?4))
