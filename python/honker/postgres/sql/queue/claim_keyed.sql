-- Claims from a queue with rules for keys. Each row is decided by itself, after its key is locked: what is in flight is counted again,
-- and what others have committed until then is seen. So the limit of a key is exact.
--
-- A key that another session has locked is passed over: that session claims or settles jobs of it, and wakes others at its commit.

-- Takes due jobs of one level; those whose key is full are blocked, and those whose key has a rate wait for the start that it gives
-- them. At most 64 are parked in these ways.
CREATE OR REPLACE FUNCTION honker._take_keyed(
  rules honker.queues, queue text, worker_id text, level bigint, n bigint, lease_end bigint, room_bytes bigint, detailed boolean,
  floor bigint, now bigint
) RETURNS honker.taken LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  taken honker.taken := ROW('{}', 0, 0, false);
  passed text[] := '{}';
  parked bigint := 0;
  wanted bigint;
  ids bigint[];
  job honker.live;
BEGIN
  LOOP
    wanted := least(n - cardinality(taken.jobs), 64 - parked);
    EXIT WHEN wanted <= 0 OR taken.bytes >= room_bytes OR taken.dead_letters >= 1000;
    ids := ARRAY(
      SELECT l.id FROM honker.live AS l
      WHERE l.queue = queue AND l.state = 'pending' AND l.priority = level AND l.run_at BETWEEN floor AND now
        AND (l.key IS NULL OR l.key <> ALL (passed))
      ORDER BY l.run_at, l.id LIMIT wanted
      FOR UPDATE SKIP LOCKED);
    FOR job IN SELECT l.* FROM honker.live AS l WHERE l.id = ANY (ids) AND l.state = 'pending' ORDER BY l.run_at, l.id LOOP
      EXIT WHEN taken.bytes >= room_bytes;
      CASE honker._judge(rules, job, passed, now)
        WHEN 'take' THEN
          taken.jobs := taken.jobs || honker._take_one(rules, job, worker_id, lease_end, detailed, now);
          taken.bytes := taken.bytes + octet_length(job.payload);
        WHEN 'over' THEN
          PERFORM honker._bury(job, honker._end_of_life(job, honker._now_of_key(now)), now);
          taken.dead_letters := taken.dead_letters + 1;
        WHEN 'park' THEN
          parked := parked + 1;
        ELSE
          passed := passed || job.key;
      END CASE;
    END LOOP;
    EXIT WHEN cardinality(ids) < wanted;
  END LOOP;
  taken.is_parked := parked >= 64;
  -- Others may have passed over the keys that this claim has locked.
  IF cardinality(taken.jobs) > 0 OR parked > 0 OR taken.dead_letters > 0 THEN
    PERFORM honker._announce();
  END IF;
  RETURN taken;
END $$;

-- Decides about a due row that this claim has locked: `take`, `over` (no attempt or no time left), `park` (it is parked now), or `pass`.
CREATE OR REPLACE FUNCTION honker._judge(rules honker.queues, job honker.live, passed text[], now bigint) RETURNS text
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  most bigint := honker._key_limit(rules);
  first honker.live;
  start bigint;
BEGIN
  IF job.key IS NULL THEN
    RETURN CASE WHEN honker._end_of_life(job, now) IS NULL THEN 'take' ELSE 'over' END;
  ELSIF job.key = ANY (passed) OR NOT honker._try_lock_key(job.queue, job.key) THEN
    RETURN 'pass';
  END IF;
  now := honker._now_of_key(now);
  IF honker._end_of_life(job, now) IS NOT NULL THEN
    RETURN 'over';
  ELSIF most = 1 AND honker._has_earlier(job) THEN
    -- Another session had locked that row, and has given it up since.
    RETURN 'pass';
  END IF;
  first := honker._first_blocked(job.queue, job.key);
  IF honker._is_held_up(rules, job.queue, job.key, job.id, now)
      OR (most IS NOT NULL AND honker._in_flight(job.queue, job.key, most) >= most)
      OR (most IS NOT NULL AND first.id IS NOT NULL
          AND (-first.priority, first.run_at, first.id) < (-job.priority, job.created_at, job.id)
          AND NOT honker._is_head(rules, job.queue, job.key, job.id)) THEN
    UPDATE honker.live AS l SET state = 'blocked', run_at = l.created_at WHERE l.id = job.id;
    PERFORM honker._promote(job.queue, job.key, now);
    RETURN 'park';
  END IF;
  IF rules.key_rate_limit > 0 AND rules.key_rate_per_s > 0 AND coalesce(job.ties, 0) & 256 = 0 THEN
    start := honker._reserve_start(rules, job.key, now);
    PERFORM honker._prune_keys(now);
    IF start > now THEN
      UPDATE honker.live AS l SET run_at = start, ties = coalesce(l.ties, 0) | 256 WHERE l.id = job.id;
      RETURN 'park';
    END IF;
  END IF;
  RETURN 'take';
END $$;

-- True if a candidate of the same key and priority comes before this one.
CREATE OR REPLACE FUNCTION honker._has_earlier(job honker.live) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  first bigint;
BEGIN
  SELECT l.id INTO first FROM honker.live AS l
  WHERE l.queue = job.queue AND l.key = job.key AND l.state = 'pending' AND l.priority = job.priority
  ORDER BY l.run_at, l.id LIMIT 1;
  RETURN first <> job.id;
END $$;

-- Leases one job. Returns its JSON in an array.
CREATE OR REPLACE FUNCTION honker._take_one(
  rules honker.queues, job honker.live, worker_id text, lease_end bigint, detailed boolean, now bigint
) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
  IF honker._is_recording() THEN
    PERFORM honker._moved(job.id, job.queue, job.payload, 'claimed', NULL, greatest(now - job.run_at, 0) / 1000.0, now);
  END IF;
  RETURN honker._lease_all(rules, ARRAY[job.id], worker_id, lease_end, detailed);
END $$;
