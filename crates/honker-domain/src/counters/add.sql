-- Adds to the last row of a queue and task, if that is of this minute or of one shortly to come.
-- ?1 queue, ?2 task, ?3 minute (minutes since 1970), ?4 enqueued, ?5 claimed, ?6 done, ?7 failed, ?8 retried, ?9 dead,
-- ?10 cancelled, ?11 snoozed, ?12 released, ?13 lapsed, ?14 runs, ?15 run_s, ?16 run_max_s, ?17 wait_s, ?18 wait_max_s
-- (amounts to add, maxima to compare).
-- Index: the primary key. Lock: write.
UPDATE main._honker_counters
SET enqueued = enqueued + ?4, claimed = claimed + ?5, done = done + ?6, failed = failed + ?7, retried = retried + ?8,
    dead = dead + ?9, cancelled = cancelled + ?10, snoozed = snoozed + ?11, released = released + ?12, lapsed =
    lapsed + ?13, runs = runs + ?14, run_s = run_s + ?15, run_max_s = max(run_max_s, ?16), wait_s = wait_s + ?17,
    wait_max_s = max(wait_max_s, ?18)
WHERE queue = ?1 AND task = ?2
  AND minute = (SELECT max(minute) FROM main._honker_counters WHERE queue = ?1 AND task = ?2)
  AND minute BETWEEN ?3 AND ?3 + 60
