-- The counts of each minute of a queue and task from a minute on, each against the row before it.
-- ?1 queue, ?2 task, ?3 minute (minutes since 1970).
-- Returns minute and one column for each counter, in the order of the table.
-- Index: the primary key. Lock: read.
SELECT minute, enqueued - ifnull(lag(enqueued) OVER before, 0), claimed - ifnull(lag(claimed) OVER before, 0), done -
       ifnull(lag(done) OVER before, 0), failed - ifnull(lag(failed) OVER before, 0), retried -
       ifnull(lag(retried) OVER before, 0), dead - ifnull(lag(dead) OVER before, 0), cancelled -
       ifnull(lag(cancelled) OVER before, 0), snoozed - ifnull(lag(snoozed) OVER before, 0), released -
       ifnull(lag(released) OVER before, 0), lapsed - ifnull(lag(lapsed) OVER before, 0), runs -
       ifnull(lag(runs) OVER before, 0), run_s - ifnull(lag(run_s) OVER before, 0), run_max_s, wait_s -
       ifnull(lag(wait_s) OVER before, 0), wait_max_s
FROM main._honker_counters
WHERE queue = ?1 AND task = ?2
  AND minute >= ifnull((
    SELECT max(minute) FROM main._honker_counters WHERE queue = ?1 AND task = ?2 AND minute < ?3), ?3)
WINDOW before AS (ORDER BY minute)
