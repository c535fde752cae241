-- The earliest instant at which a claim could return a job, in seconds: the second that has begun for jobs that are due or overdue, 0
-- when nothing waits or the queue is paused without an end. Reads only.
CREATE OR REPLACE FUNCTION honker.honker_queue_next_claim_at(queue text) RETURNS double precision LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  rules honker.queues;
  first bigint;
BEGIN
  PERFORM honker._name(queue, 'queue');
  SELECT q.* INTO rules FROM honker.queues AS q WHERE q.name = queue;
  IF honker._is_paused(rules, now) AND rules.paused_until IS NULL THEN
    RETURN 0;
  END IF;
  -- With all slots taken nothing starts until one is given back, which is a commit, or lapses.
  IF honker._queue_slots(rules, 1) > 0 THEN
    first := greatest(least(honker._first_due(queue, now), honker._first_resume(rules)), honker._first_start(rules, now));
    IF honker._first_due(queue, now) IS NULL AND honker._first_resume(rules) IS NULL THEN
      first := NULL;
    END IF;
  END IF;
  first := least(first, honker._first_lapse(queue, now));
  IF first IS NULL THEN
    RETURN 0;
  ELSIF honker._is_paused(rules, now) THEN
    first := greatest(first, rules.paused_until);
  END IF;
  RETURN CASE WHEN first <= now THEN floor(now / 1000.0) ELSE first / 1000.0 END;
END $$;

-- When the first waiting job of any level becomes due; looked for no further once it is due now. One seek for each level.
CREATE OR REPLACE FUNCTION honker._first_due(queue text, now bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  level bigint := 9223372036854775807;
  here bigint;
  first bigint;
BEGIN
  LOOP
    SELECT l.priority, l.run_at INTO level, here FROM honker.live AS l
    WHERE l.queue = queue AND l.state = 'pending' AND l.priority < level
    ORDER BY l.priority DESC, l.run_at, l.id LIMIT 1;
    EXIT WHEN NOT FOUND;
    first := least(first, here);
    EXIT WHEN first <= now;
  END LOOP;
  RETURN first;
END $$;

-- When the first pause of a key with blocked jobs ends by time. Of many pauses without blocked jobs before it, only a few are looked
-- at; then it may be early.
CREATE OR REPLACE FUNCTION honker._first_resume(rules honker.queues) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  pause record;
  looked_at integer := 0;
BEGIN
  IF NOT coalesce(rules.paused_keys > 0, false) THEN
    RETURN NULL;
  END IF;
  FOR pause IN
    SELECT k.paused_until, EXISTS (
      SELECT 1 FROM honker.live AS l WHERE l.queue = k.queue AND l.state = 'blocked' AND l.key = k.key
    ) AS has_blocked
    FROM honker.keys AS k WHERE k.queue = rules.name AND k.paused_at IS NOT NULL AND k.paused_until IS NOT NULL
    ORDER BY k.paused_until LIMIT 17
  LOOP
    looked_at := looked_at + 1;
    IF pause.has_blocked OR looked_at = 17 THEN
      RETURN pause.paused_until;
    END IF;
  END LOOP;
  RETURN NULL;
END $$;

-- When the first lease lapses: the millisecond after its end. One that ends later than any lease may has lapsed now.
CREATE OR REPLACE FUNCTION honker._first_lapse(queue text, now bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  IF EXISTS (SELECT 1 FROM honker.live AS l
             WHERE l.queue = queue AND l.state = 'processing' AND l.claim_expires_at > now + 31536000000) THEN
    RETURN now;
  END IF;
  RETURN (SELECT l.claim_expires_at + 1 FROM honker.live AS l WHERE l.queue = queue AND l.state = 'processing'
          ORDER BY l.claim_expires_at LIMIT 1);
END $$;
