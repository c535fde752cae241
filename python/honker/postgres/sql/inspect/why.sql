-- Why a job is not running, in words: by the rules of the claim, in the order in which a claim applies them.

-- Why a live job is not running, or by whom it is run. NULL if it is not live.
CREATE OR REPLACE FUNCTION honker._why(job_id bigint, now bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  job honker.live;
BEGIN
  SELECT l.* INTO job FROM honker.live AS l WHERE l.id = job_id;
  RETURN CASE
    WHEN job.id IS NULL THEN NULL
    WHEN job.state = 'processing' THEN honker._why_running(job, now)
    WHEN job.state = 'waiting' THEN honker._why_waiting(job)
    WHEN job.state IN ('pending', 'blocked') THEN array_to_string(honker._why_pending(job, now), '; ')
    ELSE format('state "%s", which only another program knows', job.state)
  END;
END $$;

CREATE OR REPLACE FUNCTION honker._why_running(job honker.live, now bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  worker text := coalesce(job.worker_id, 'an unknown worker');
BEGIN
  RETURN CASE
      WHEN job.claim_expires_at < now THEN format(
        'the lease of %s expired at %s, and the next claim takes the job back',
        worker, honker._at(job.claim_expires_at))
      ELSE format('running: held by %s%s', worker, ' until ' || honker._at(job.claim_expires_at))
    END || coalesce('; asked to end at ' || honker._at(job.cancel_requested_at), '');
END $$;

CREATE OR REPLACE FUNCTION honker._why_waiting(job honker.live) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  parents bigint[] := ARRAY(
    SELECT d.parent_id FROM honker.dependencies AS d WHERE d.child_id = job.id AND d.outcome IS NULL
    ORDER BY d.parent_id LIMIT 11);
BEGIN
  RETURN CASE cardinality(parents)
    WHEN 0 THEN 'waits for parents that are gone, until a worker is idle'
    WHEN 1 THEN 'waits for parent ' || honker._listed(parents)
    ELSE 'waits for parents ' || honker._listed(parents)
  END;
END $$;

CREATE OR REPLACE FUNCTION honker._why_pending(job honker.live, now bigint) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
  rules honker.queues;
  reasons text[];
BEGIN
  SELECT q.* INTO rules FROM honker.queues AS q WHERE q.name = job.queue;
  reasons := ARRAY[
    CASE WHEN job.expires_at <= now THEN 'expired: the next claim makes it a dead letter' END,
    honker._why_later(job, now),
    CASE WHEN honker._is_paused(rules, now) THEN honker._paused('queue', rules.paused_until, rules.pause_reason) END];
  IF job.state = 'blocked' OR job.run_at <= now THEN
    reasons := reasons || ARRAY[
      honker._why_queue_full(rules), honker._why_queue_rate(rules, now), honker._why_key(rules, job, now)];
  END IF;
  reasons := array_remove(
    reasons || ('no worker that has claimed it since ' || honker._at(job.unknown_since) || ' knows its task'), NULL);
  IF cardinality(reasons) = 0 THEN
    RETURN ARRAY['due since ' || honker._at(job.run_at) || ': no worker has claimed it yet'];
  END IF;
  RETURN reasons;
END $$;

-- The tie is START_GIVEN (256).
CREATE OR REPLACE FUNCTION honker._why_later(job honker.live, now bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN CASE
    WHEN job.state <> 'pending' OR job.run_at <= now THEN NULL
    WHEN job.key IS NOT NULL AND job.ties & 256 <> 0
      THEN format('rate of key %s: next start at %s', job.key, honker._at(job.run_at))
    WHEN job.attempts > 0 THEN format('delayed until %s, after %s attempts', honker._at(job.run_at), job.attempts)
    ELSE 'delayed until ' || honker._at(job.run_at)
  END;
END $$;

CREATE OR REPLACE FUNCTION honker._paused(subject text, until bigint, reason text) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT subject || ' paused' || coalesce(' until ' || honker._at(until), '')
    || coalesce(': ' || nullif(reason, ''), '')
$$;

CREATE OR REPLACE FUNCTION honker._why_queue_full(rules honker.queues) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF honker._queue_limit(rules) IS NULL OR honker._queue_slots(rules, 1) > 0 THEN
    RETURN NULL;
  END IF;
  RETURN format('queue: all of its %s slots held by %s', rules.concurrency, honker._listed(ARRAY(
    SELECT l.id FROM honker.live AS l WHERE l.queue = rules.name AND l.state = 'processing'
    ORDER BY l.claim_expires_at, l.id LIMIT 11)));
END $$;

CREATE OR REPLACE FUNCTION honker._why_queue_rate(rules honker.queues, now bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
  start bigint := honker._first_start(rules, now);
BEGIN
  RETURN CASE WHEN start > now THEN 'rate: next start at ' || honker._at(start) END;
END $$;

-- The obstacle that a claim meets in the key of a due job, see honker._judge.
CREATE OR REPLACE FUNCTION honker._why_key(rules honker.queues, job honker.live, now bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
  most bigint := honker._key_limit(rules);
  in_flight bigint;
  first honker.live;
  start bigint;
BEGIN
  IF job.key IS NULL THEN
    RETURN NULL;
  ELSIF honker._is_held_up(rules, job.queue, job.key, job.id, now) THEN
    RETURN honker._why_held_up(job, now);
  END IF;
  IF most IS NOT NULL THEN
    in_flight := honker._in_flight(job.queue, job.key, most);
    IF in_flight >= most THEN
      RETURN format('key %s: %s of %s slots held by %s', job.key, in_flight, most, honker._listed(ARRAY(
        SELECT l.id FROM honker.live AS l WHERE l.queue = job.queue AND l.key = job.key AND l.state = 'processing'
        ORDER BY l.priority DESC, l.run_at, l.id LIMIT 11)));
    END IF;
    first := honker._first_blocked(job.queue, job.key);
    IF (-first.priority, first.created_at, first.id) < (-job.priority, job.created_at, job.id)
        AND NOT honker._is_head(rules, job.queue, job.key, job.id) THEN
      RETURN format('key %s: job %s goes first', job.key, first.id);
    END IF;
  END IF;
  IF rules.key_rate_limit > 0 AND rules.key_rate_per_s > 0 AND coalesce(job.ties, 0) & 256 = 0 THEN
    start := honker._first_start_of_key(rules, job.key, now);
    IF start > now THEN
      RETURN format('rate of key %s: next start at %s', job.key, honker._at(start));
    END IF;
  END IF;
  RETURN CASE WHEN job.state = 'blocked' THEN format('key %s: waits for the next claim', job.key) END;
END $$;

-- The pause of a key, or the head for which its line waits.
CREATE OR REPLACE FUNCTION honker._why_held_up(job honker.live, now bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  facts honker.keys;
BEGIN
  SELECT k.* INTO facts FROM honker.keys AS k WHERE k.queue = job.queue AND k.key = job.key;
  IF facts.paused_at IS NOT NULL AND coalesce(facts.paused_until > now, true) THEN
    RETURN honker._paused('key ' || job.key, facts.paused_until, facts.pause_reason);
  END IF;
  RETURN format('key %s: in order, and job %s goes first', job.key, facts.head_id);
END $$;

-- The start that honker._reserve_start would give out.
CREATE OR REPLACE FUNCTION honker._first_start_of_key(rules honker.queues, key text, now bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  step double precision := honker._interval(rules.key_rate_limit, rules.key_rate_per_s);
  next double precision := (SELECT k.next_start_ms FROM honker.keys AS k WHERE k.queue = rules.name AND k.key = key);
BEGIN
  next := greatest(next, now - honker._lateness(step));
  RETURN ceil(next - (greatest(coalesce(rules.burst, 1), 1) - 1) * step - 0.001)::bigint;
END $$;

-- The first ten ids, of which eleven were read.
CREATE OR REPLACE FUNCTION honker._listed(ids bigint[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT array_to_string(ids[:10], ', ') || CASE WHEN cardinality(ids) > 10 THEN ' and others' ELSE '' END
$$;
