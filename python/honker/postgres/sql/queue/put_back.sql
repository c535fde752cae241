-- Jobs that come back by themselves: of lapsed leases, of keys whose pause has ended, and of lines that nothing promotes.

-- Makes jobs wait again whose lease has lapsed, or dead-letters those that have no attempt or no time left; a hundred at most. True if
-- there was one.
--
-- Index: live_leases, its head, and its tail for leases that end later than any lease may (a year): they were given by a clock that
-- was ahead. One whose row or key is locked by another session is left for the next claim.
CREATE OR REPLACE FUNCTION honker._put_back(queue text, now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  job honker.live;
  error text;
  has_returned boolean := false;
  latest bigint := now + 31536000000;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM honker.live AS l WHERE l.queue = queue AND l.state = 'processing' AND l.claim_expires_at < now)
      AND NOT EXISTS (SELECT 1 FROM honker.live AS l WHERE l.queue = queue AND l.state = 'processing' AND l.claim_expires_at > latest)
  THEN
    RETURN false;
  END IF;
  FOR job IN
    SELECT l.* FROM honker.live AS l
    WHERE l.queue = queue AND l.state = 'processing' AND (l.claim_expires_at < now OR l.claim_expires_at > latest)
    ORDER BY l.claim_expires_at, l.id LIMIT 100
    FOR UPDATE SKIP LOCKED
  LOOP
    CONTINUE WHEN job.key IS NOT NULL AND NOT honker._try_lock_key(job.queue, job.key);
    error := honker._end_of_life(job, now);
    IF job.ties & 512 <> 0 THEN
      PERFORM honker._record_attempt(job, 'lost', NULL, NULL, now);
      PERFORM honker._end(job, 'cancelled', NULL, NULL, now);
    ELSIF error IS NOT NULL THEN
      PERFORM honker._bury(job, error, now);
    ELSE
      PERFORM honker._back(job, 'lapsed', NULL, NULL, NULL, false, now);
    END IF;
    has_returned := true;
  END LOOP;
  RETURN has_returned;
END $$;
