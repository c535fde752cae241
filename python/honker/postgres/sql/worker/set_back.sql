-- Leases of dead workers after the clock of the server was set back.
--
-- A lease ends by the clock, so after the clock was set back a dead worker's job would wait until the clock has caught
-- up. But the last report of the worker is dated by the same clock as its leases. So the other workers find a report
-- that is dated in the future, and if none follows for three beats, they move the leases back together with the report.
--
-- Invariant: no lease ends before its worker counts on it. A lease with the end E that was taken or renewed under the
-- clock ahead lasts, from the last report on, for at most E - `seen_at` of true time: it was written then or later. It
-- is given that time from the instant at which another worker met the report, which is later. A lease that ends before
-- `seen_at` was written under the clock that was set back, or had lapsed, and is left alone. So is each lease of a
-- worker that reports again.
--
-- Two sessions: one holds the report of the lost worker, and the other one passes over it.
CREATE OR REPLACE FUNCTION honker._move_lost_leases(now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  worker honker.workers;
  met bigint;
BEGIN
  FOR worker IN
    SELECT w.* FROM honker.workers AS w WHERE w.seen_at > now + 10000 ORDER BY w.seen_at DESC LIMIT 8
      FOR UPDATE SKIP LOCKED
  LOOP
    met := CASE WHEN worker.ahead_seen_at = worker.seen_at AND worker.ahead_met_at <= now THEN worker.ahead_met_at END;
    IF met IS NULL THEN
      UPDATE honker.workers AS w SET ahead_seen_at = w.seen_at, ahead_met_at = now WHERE w.name = worker.name;
    ELSIF met + 3 * least(greatest(worker.beat, 10000), 1200000) < now THEN
      -- A claimed job was due, so it stays due when it waits again.
      UPDATE honker.live AS l
      SET claim_expires_at = l.claim_expires_at - (worker.seen_at - met), run_at = least(l.run_at, met)
      FROM (
        SELECT h.id FROM honker.live AS h
        WHERE h.queue IN (SELECT q.value FROM json_array_elements_text(worker.queues::json) AS q)
          AND h.state = 'processing' AND h.claim_expires_at > worker.seen_at
          AND h.worker_id IN (SELECT i.value FROM json_array_elements_text(worker.worker_ids::json) AS i)
        ORDER BY h.id
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
      ) AS held
      WHERE l.id = held.id;
      UPDATE honker.workers AS w SET seen_at = met, ahead_seen_at = NULL, ahead_met_at = NULL
        WHERE w.name = worker.name;
    END IF;
  END LOOP;
END $$;
