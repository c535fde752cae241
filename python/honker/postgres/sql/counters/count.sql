-- Counters of the moves of jobs, by queue, task and minute.
--
-- A backend adds to the row of its own process id, so no writer waits for another one, whatever its transaction does
-- afterwards. The first count of a backend in a minute folds the rows of minutes that are over into slot 0, and minutes
-- that are not kept into its minute -1, where the sums outlive them. Sums are exact, and never fall.
--
-- - *The session dies, or rolls back.* The counts of a call are written in its transaction: both are there, or neither.
-- - *Two sessions fold at once.* One of them has the lock of the queue and task, and the other one leaves it to that. A
--   row is deleted in the transaction that adds it to slot 0, and a row that another session holds is passed over until
--   the next time.
-- - *A transaction stays open.* The rows of its backend are folded when it has committed. If it folds itself, rows
--   gather until it ends.
-- - *The clock is set back.* Counts go into rows of the present minute. Rows of minutes that are more than an hour
--   ahead are folded into minute -1.

-- Adds `jobs` moves of one kind, one after the other in the same minute. `run_s` is of a single move.
CREATE OR REPLACE FUNCTION honker._count(
  queue text, task text, move text, jobs bigint, run_s double precision, wait_s double precision,
  wait_max_s double precision, now bigint
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  this_minute bigint := floor(now / 60000.0)::bigint;
  failed bigint := CASE WHEN move IN ('retried', 'failed') THEN jobs ELSE 0 END;
  dead bigint := CASE WHEN move IN ('dead', 'failed') THEN jobs ELSE 0 END;
  is_new boolean;
BEGIN
  INSERT INTO honker.counters AS c (
    queue, task, minute, slot, enqueued, claimed, done, failed, retried, dead, cancelled, snoozed, released, lapsed,
    runs, run_s, run_max_s, wait_s, wait_max_s)
  VALUES (
    queue, task, this_minute, pg_backend_pid(), jobs * (move = 'enqueued')::integer, jobs * (move = 'claimed')::integer,
    jobs * (move = 'done')::integer, failed, jobs * (move = 'retried')::integer, dead,
    jobs * (move = 'cancelled')::integer,
    jobs * (move = 'snoozed')::integer, jobs * (move = 'released')::integer, jobs * (move = 'lapsed')::integer,
    (run_s IS NOT NULL)::integer, coalesce(run_s, 0), coalesce(run_s, 0), wait_s, wait_max_s)
  ON CONFLICT ON CONSTRAINT counters_key DO UPDATE SET
    enqueued = c.enqueued + excluded.enqueued, claimed = c.claimed + excluded.claimed, done = c.done + excluded.done,
    failed = c.failed + excluded.failed, retried = c.retried + excluded.retried, dead = c.dead + excluded.dead,
    cancelled = c.cancelled + excluded.cancelled, snoozed = c.snoozed + excluded.snoozed,
    released = c.released + excluded.released,
    lapsed = c.lapsed + excluded.lapsed, runs = c.runs + excluded.runs, run_s = c.run_s + excluded.run_s,
    run_max_s = greatest(c.run_max_s, excluded.run_max_s), wait_s = c.wait_s + excluded.wait_s,
    wait_max_s = greatest(c.wait_max_s, excluded.wait_max_s)
  -- An inserted row has not been deleted or locked by anyone.
  RETURNING c.xmax = 0 INTO is_new;
  IF is_new THEN
    PERFORM honker._fold_counters(queue, task, this_minute);
  END IF;
END $$;

-- A backend that has read the clock and then waited writes a minute that is over. So the last two are left alone.
CREATE OR REPLACE FUNCTION honker._fold_counters(queue text, task text, this_minute bigint)
RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  IF NOT pg_try_advisory_xact_lock(1752133742, hashtext(queue || E'\n' || task)) THEN
    RETURN;
  END IF;
  WITH over AS (
    SELECT c.minute, c.slot FROM honker.counters AS c
    WHERE c.queue = queue AND c.task = task
      AND ((c.slot <> 0 AND c.minute < this_minute - 2)
           OR (c.minute <> -1 AND (c.minute <= this_minute - 240 OR c.minute > this_minute + 60)))
    ORDER BY c.minute, c.slot
    FOR UPDATE SKIP LOCKED
  ), taken AS (
    DELETE FROM honker.counters AS c USING over AS o
    WHERE c.queue = queue AND c.task = task AND c.minute = o.minute AND c.slot = o.slot
    RETURNING c.*,
      CASE WHEN c.minute BETWEEN this_minute - 239 AND this_minute + 60 THEN c.minute ELSE -1 END AS kept_minute
  )
  INSERT INTO honker.counters AS kept
  SELECT queue, task, t.kept_minute, 0, sum(t.enqueued), sum(t.claimed), sum(t.done), sum(t.failed), sum(t.retried),
    sum(t.dead),
         sum(t.cancelled), sum(t.snoozed), sum(t.released), sum(t.lapsed), sum(t.runs), sum(t.run_s), max(t.run_max_s),
         sum(t.wait_s), max(t.wait_max_s)
  FROM taken AS t GROUP BY t.kept_minute
  ON CONFLICT ON CONSTRAINT counters_key DO UPDATE SET
    enqueued = kept.enqueued + excluded.enqueued, claimed = kept.claimed + excluded.claimed,
    done = kept.done + excluded.done,
    failed = kept.failed + excluded.failed, retried = kept.retried + excluded.retried, dead = kept.dead + excluded.dead,
    cancelled = kept.cancelled + excluded.cancelled, snoozed = kept.snoozed + excluded.snoozed,
    released = kept.released + excluded.released, lapsed = kept.lapsed + excluded.lapsed,
    runs = kept.runs + excluded.runs,
    run_s = kept.run_s + excluded.run_s, run_max_s = greatest(kept.run_max_s, excluded.run_max_s),
    wait_s = kept.wait_s + excluded.wait_s, wait_max_s = greatest(kept.wait_max_s, excluded.wait_max_s);
END $$;
