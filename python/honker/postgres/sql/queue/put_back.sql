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
  began_at timestamptz := clock_timestamp();
  next_look text[] := string_to_array(current_setting('honker.next_lapse_look', true), ' ');
  took double precision;
BEGIN
  -- As in front.sql: a look that dead index entries have made slow is made again after twenty times as long, a second at most.
  IF next_look[1] = md5(queue) AND next_look[2]::double precision > extract(epoch FROM began_at) THEN
    RETURN false;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM honker.live AS l WHERE l.queue = queue AND l.state = 'processing' AND l.claim_expires_at < now)
      AND NOT EXISTS (SELECT 1 FROM honker.live AS l WHERE l.queue = queue AND l.state = 'processing' AND l.claim_expires_at > latest)
  THEN
    took := extract(epoch FROM clock_timestamp() - began_at);
    IF took > 0.002 THEN
      PERFORM set_config('honker.next_lapse_look', md5(queue) || ' ' || extract(epoch FROM clock_timestamp()) + least(20 * took, 1), false);
    END IF;
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

-- Ends pauses of keys of the queue whose time has come, a few, and promotes their jobs. True if there was one.
--
-- Index: keys_paused, one seek. A claim looks at it only if the queue has paused keys.
CREATE OR REPLACE FUNCTION honker._end_key_pauses(queue text, now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  key text;
  has_ended boolean := false;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM honker.keys AS k WHERE k.queue = queue AND k.paused_at IS NOT NULL AND k.paused_until <= now) THEN
    RETURN false;
  END IF;
  PERFORM honker._lock_queue(queue);
  FOR key IN
    SELECT k.key FROM honker.keys AS k WHERE k.queue = queue AND k.paused_at IS NOT NULL AND k.paused_until <= now
    ORDER BY k.paused_until LIMIT 16
  LOOP
    CONTINUE WHEN NOT honker._try_lock_key(queue, key);
    PERFORM honker._end_key_pause(queue, key);
    PERFORM honker._promote(queue, key, now);
    has_ended := true;
  END LOOP;
  IF has_ended THEN
    PERFORM honker._count_paused_keys(queue);
  END IF;
  RETURN has_ended;
END $$;

-- Makes jobs candidates that nothing promotes, and settles the edges of parents that are gone: for a claim that has found nothing, so
-- that a busy queue pays nothing for it. A few keys are looked at; the next call of this session goes on behind them. True if a job may
-- have become due.
CREATE OR REPLACE FUNCTION honker._rescue(rules honker.queues, queue text, now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  place text := current_setting('honker.rescued_keys_to', true);
  key text := '';
  has_found boolean := false;
  looked_at integer := 0;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM honker.live AS l WHERE l.queue = queue AND l.state NOT IN ('pending', 'processing')) THEN
    RETURN false;
  END IF;
  IF left(place, 32) = md5(queue) THEN
    key := substr(place, 33);
  END IF;
  WHILE looked_at < 16 LOOP
    key := honker._next_blocked_key(queue, key);
    EXIT WHEN key IS NULL;
    IF honker._room(rules, honker._first_blocked(queue, key), now) > 0 AND honker._try_lock_key(queue, key) THEN
      has_found := honker._promote(queue, key, now) > 0 OR has_found;
    END IF;
    looked_at := looked_at + 1;
  END LOOP;
  PERFORM set_config('honker.rescued_keys_to', md5(queue) || coalesce(key, ''), false);
  RETURN honker._rescue_waiting(queue, now) OR has_found;
END $$;

-- The first key, by name, after another that has blocked jobs; NULL after the last.
CREATE OR REPLACE FUNCTION honker._next_blocked_key(queue text, after text) RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  RETURN (SELECT l.key FROM honker.live AS l
          WHERE l.queue = queue AND l.state = 'blocked' AND l.key > after ORDER BY l.key LIMIT 1);
END $$;
