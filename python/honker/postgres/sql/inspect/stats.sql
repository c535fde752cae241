-- Bounded counts of the jobs of a queue.
--
-- PostgreSQL counts rows by visiting them, and a counter kept beside them would be a row for which all writers wait. So
-- a count stops at a limit that the caller chooses and is marked as exact or not: the cost does not depend on the size
-- of the queue.

CREATE OR REPLACE FUNCTION honker.honker_queue_stats(queue text, count_limit bigint DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_variable
BEGIN
  PERFORM honker._name(queue, 'queue');
  RETURN honker._stats(queue, honker._count_limit(count_limit), honker._now());
END $$;

-- The statistics of queues that hold something or are paused, by name.
CREATE OR REPLACE FUNCTION honker.honker_queue_list(after text, n bigint, count_limit bigint DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  most bigint;
  queues json[] := '{}';
  queue text := coalesce(after, '');
BEGIN
  PERFORM honker._name(coalesce(after, 'none'), 'after');
  PERFORM honker._integer(n, 'n', 0, 10000);
  most := honker._count_limit(count_limit);
  WHILE cardinality(queues) < n LOOP
    queue := honker._next_queue(queue, now);
    EXIT WHEN queue IS NULL;
    queues := queues || honker._stats(queue, most, now);
  END LOOP;
  RETURN array_to_json(queues)::text;
END $$;

CREATE OR REPLACE FUNCTION honker._count_limit(count_limit bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT honker._integer(coalesce(count_limit, honker._count_limit_default()), 'count_limit', 1, 1000000)
$$;

-- The first queue, by name, after a given one: of those with a job that has not ended well, and those that are paused.
-- A seek in each index, so the cost of a list does not depend on the size of the queues.
CREATE OR REPLACE FUNCTION honker._next_queue(after text, now bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  RETURN least(
    (SELECT l.queue FROM honker.live AS l WHERE l.state = 'pending' AND l.queue > after ORDER BY l.queue LIMIT 1),
    (SELECT l.queue FROM honker.live AS l WHERE l.state = 'processing' AND l.queue > after ORDER BY l.queue LIMIT 1),
    (SELECT l.queue FROM honker.live AS l
     WHERE l.state NOT IN ('pending', 'processing') AND l.queue > after ORDER BY l.queue LIMIT 1),
    (SELECT d.queue FROM honker.dead AS d WHERE d.queue > after ORDER BY d.queue LIMIT 1),
    (SELECT q.name FROM honker.queues AS q
     WHERE q.paused_at IS NOT NULL AND coalesce(q.paused_until > now, true) AND q.name > after
     ORDER BY q.name LIMIT 1));
END $$;

-- Each count looks for one more than the limit.
CREATE OR REPLACE FUNCTION honker._stats(queue text, most bigint, now bigint) RETURNS json
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  pending record := honker._count_pending(queue, most, now);
  processing bigint := (SELECT count(*) FROM (
    SELECT 1 FROM honker.live AS l WHERE l.queue = queue AND l.state = 'processing' LIMIT most + 1) AS counted);
  lapsed bigint := (SELECT count(*) FROM (
    SELECT 1 FROM honker.live AS l
    WHERE l.queue = queue AND l.state = 'processing' AND l.claim_expires_at < now LIMIT most + 1) AS counted);
  blocked bigint := honker._count_other(queue, 'blocked', most + 1);
  waiting bigint := honker._count_other(queue, 'waiting', most + 1);
  dead bigint := (SELECT count(*) FROM (
    SELECT 1 FROM honker.dead AS d WHERE d.queue = queue LIMIT most + 1) AS counted);
  rules honker.queues;
BEGIN
  SELECT q.* INTO rules FROM honker.queues AS q WHERE q.name = queue;
  IF NOT honker._is_paused(rules, now) THEN
    rules := NULL;
  END IF;
  RETURN json_build_object(
    'queue', queue,
    'ready', least(pending.ready, most), 'ready_is_exact', pending.ready <= most AND pending.is_whole,
    'delayed', least(pending.delayed, most), 'delayed_is_exact', pending.delayed <= most AND pending.is_whole,
    'processing', least(processing, most), 'processing_is_exact', processing <= most,
    'lapsed', least(lapsed, most), 'lapsed_is_exact', lapsed <= most,
    'blocked', least(blocked, most), 'blocked_is_exact', blocked <= most,
    'waiting', least(waiting, most), 'waiting_is_exact', waiting <= most,
    'dead', least(dead, most), 'dead_is_exact', dead <= most,
    'oldest_ready_age_s', honker._seconds(now - pending.oldest_ready), 'next_due_at', honker._seconds(pending.next_due),
    'paused_at', honker._seconds(rules.paused_at), 'paused_until', honker._seconds(rules.paused_until),
    'pause_reason', rules.pause_reason);
END $$;

CREATE OR REPLACE FUNCTION honker._count_other(queue text, state text, most bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  RETURN (SELECT count(*) FROM (
    SELECT 1 FROM honker.live AS l
    WHERE l.queue = queue AND l.state = state AND l.state NOT IN ('pending', 'processing') LIMIT most) AS counted);
END $$;

-- The pending jobs, by one walk down the priorities. Where every job has its own priority, the limit stops the walk.
CREATE OR REPLACE FUNCTION honker._count_pending(
  queue text, most bigint, now bigint,
  OUT ready bigint, OUT delayed bigint, OUT oldest_ready bigint, OUT next_due bigint, OUT is_whole boolean
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  level bigint := 9223372036854775807;
  levels bigint := 0;
  first_due bigint;
  later record;
BEGIN
  ready := 0;
  delayed := 0;
  LOOP
    SELECT l.priority, l.run_at INTO level, first_due FROM honker.live AS l
    WHERE l.queue = queue AND l.state = 'pending' AND l.priority < level
    ORDER BY l.priority DESC, l.run_at, l.id LIMIT 1;
    is_whole := NOT FOUND;
    EXIT WHEN is_whole OR levels >= most;
    levels := levels + 1;
    IF first_due <= now THEN
      oldest_ready := least(oldest_ready, first_due);
      ready := ready + (SELECT count(*) FROM (
        SELECT 1 FROM honker.live AS l
        WHERE l.queue = queue AND l.state = 'pending' AND l.priority = level AND l.run_at <= now
        LIMIT most + 1 - ready) AS counted);
    END IF;
    -- One at least, for the time of the first.
    SELECT count(*) AS count, min(c.run_at) AS first INTO later FROM (
      SELECT l.run_at FROM honker.live AS l
      WHERE l.queue = queue AND l.state = 'pending' AND l.priority = level AND l.run_at > now
      ORDER BY l.run_at LIMIT greatest(most + 1 - delayed, 1)) AS c;
    delayed := delayed + later.count;
    next_due := least(next_due, later.first);
  END LOOP;
END $$;
