-- Begins a minute of a queue and task with the sums of its last row.
-- ?1 queue, ?2 task, ?3 minute (minutes since 1970), ?4 enqueued, ?5 claimed, ?6 done, ?7 failed, ?8 retried, ?9 dead,
-- ?10 cancelled, ?11 snoozed, ?12 released, ?13 lapsed, ?14 runs, ?15 run_s, ?16 run_max_s, ?17 wait_s, ?18 wait_max_s
-- (amounts to add, maxima of the minute).
-- Index: the primary key. Lock: write.
INSERT OR REPLACE INTO main._honker_counters (
  queue, task, minute, enqueued, claimed, done, failed, retried, dead, cancelled, snoozed, released, lapsed, runs,
  run_s, run_max_s, wait_s, wait_max_s)
SELECT ?1, ?2, ?3, ifnull(last.enqueued, 0) + ?4, ifnull(last.claimed, 0) + ?5, ifnull(last.done, 0) + ?6,
       ifnull(last.failed, 0) + ?7, ifnull(last.retried, 0) + ?8, ifnull(last.dead, 0) + ?9,
       ifnull(last.cancelled, 0) + ?10, ifnull(last.snoozed, 0) + ?11, ifnull(last.released, 0) + ?12,
       ifnull(last.lapsed, 0) + ?13, ifnull(last.runs, 0) + ?14, ifnull(last.run_s, 0) + ?15, ?16,
       ifnull(last.wait_s, 0) + ?17, ?18
FROM (SELECT 1) LEFT JOIN (
  SELECT * FROM main._honker_counters WHERE queue = ?1 AND task = ?2 ORDER BY minute DESC LIMIT 1) AS last
