-- Claiming: leasing due jobs to a worker.
--
-- The cost does not depend on the backlog. Waiting jobs are visited one priority level at a time, one seek each: delayed jobs of a
-- high level neither hide due jobs of a lower one nor are stepped over. Lapsed leases are taken from the head of their index and
-- first become waiting jobs again, so one index decides the order of all. Exhausted and expired rows are dead-lettered where
-- the claim meets them, a bounded number per call. A claim that finds nothing writes nothing.
--
-- Invariant: at most one live claim per job.
-- - *Two sessions.* FOR UPDATE SKIP LOCKED gives each row to one of them. A row that another session has taken and committed since
--   the snapshot is tested again under its lock, and left out.
-- - *The session dies before its commit.* Its rows are as they were. After it, the row carries worker, attempt and lease, and the
--   first claim after the lease has lapsed takes the job over under the next attempt number.
-- - *The clock jumps.* Ahead: leases lapse early, and the attempt number keeps the late holder from settling. Back: they last longer.
--
-- Limits of the queue are exact: the claims of a queue with a concurrency or a rate wait for each other (honker._lock_queue) from the
-- look at what is in flight to their commit.

-- The jobs of a claim as JSON texts, in claim order; honker._claim tries the short way first.
CREATE OR REPLACE FUNCTION honker._claim_by_rules(queue text, worker_id text, n bigint, lease bigint, detailed boolean, now bigint)
RETURNS text[] LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  rules honker.queues;
  jobs text[] := '{}';
  has_returned boolean;
BEGIN
  PERFORM honker._check_writer();
  SELECT q.* INTO rules FROM honker.queues AS q WHERE q.name = queue;
  IF n = 0 OR honker._is_paused(rules, now) THEN
    RETURN jobs;
  END IF;
  has_returned := honker._put_back(queue, now);
  IF rules.paused_keys > 0 THEN
    has_returned := honker._end_key_pauses(queue, now) OR has_returned;
  END IF;
  jobs := honker._claim_due(rules, queue, worker_id, n, lease, detailed, now);
  IF cardinality(jobs) = 0 AND honker._rescue(rules, queue, now) THEN
    has_returned := true;
    jobs := honker._claim_due(rules, queue, worker_id, n, lease, detailed, now);
  END IF;
  IF has_returned THEN
    PERFORM honker._announce();
  END IF;
  RETURN jobs;
END $$;

-- A claim from what is due. The first look at a queue with limits takes no lock: a full queue costs its workers a count.
CREATE OR REPLACE FUNCTION honker._claim_due(
  rules honker.queues, queue text, worker_id text, n bigint, lease bigint, detailed boolean, now bigint
) RETURNS text[] LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  jobs text[];
  is_limited boolean := coalesce(rules.concurrency >= 0, false) OR coalesce(rules.rate_limit > 0, false);
BEGIN
  IF NOT is_limited THEN
    RETURN honker._claim_levels(rules, queue, worker_id, n, lease, detailed, now);
  ELSIF honker._queue_room(rules, n, now) <= 0 OR (honker._front(queue, now)).level IS NULL THEN
    RETURN '{}';
  ELSIF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
    -- The snapshot is older than the lock, so it may lack jobs in flight.
    PERFORM honker._invalid('queue', 'has a limit, which a transaction can keep at isolation level READ COMMITTED only');
  END IF;
  PERFORM honker._lock_queue(queue);
  SELECT q.* INTO rules FROM honker.queues AS q WHERE q.name = queue;
  n := honker._queue_room(rules, n, now);
  IF n <= 0 OR honker._is_paused(rules, now) THEN
    RETURN '{}';
  END IF;
  jobs := honker._claim_levels(rules, queue, worker_id, n, lease, detailed, now);
  IF cardinality(jobs) > 0 AND rules.rate_limit > 0 AND rules.rate_per_s > 0 THEN
    UPDATE honker.queues AS q
    SET next_start_ms = honker._next_start(rules, now) + cardinality(jobs) * honker._interval(rules.rate_limit, rules.rate_per_s)
    WHERE q.name = queue;
  END IF;
  RETURN jobs;
END $$;

-- How many of `wanted` jobs the limits of the queue allow to start now.
CREATE OR REPLACE FUNCTION honker._queue_room(rules honker.queues, wanted bigint, now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  wanted := honker._queue_slots(rules, wanted);
  IF wanted > 0 AND rules.rate_limit > 0 AND rules.rate_per_s > 0 THEN
    wanted := honker._starts_allowed(rules, wanted, now);
  END IF;
  RETURN wanted;
END $$;

-- How many of `wanted` jobs the concurrency of the queue allows.
CREATE OR REPLACE FUNCTION honker._queue_slots(rules honker.queues, wanted bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  most bigint := honker._queue_limit(rules);
BEGIN
  IF most IS NULL THEN
    RETURN wanted;
  END IF;
  RETURN least(wanted, most - (SELECT count(*) FROM (
    SELECT 1 FROM honker.live AS l WHERE l.queue = rules.name AND l.state = 'processing' LIMIT most
  ) AS in_flight));
END $$;

-- The first priority below `above` (NULL: of all) with a due job; NULL if there is none. One seek for each level on the way.
CREATE OR REPLACE FUNCTION honker._due_level(queue text, above bigint, now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  level bigint := coalesce(above, 9223372036854775807);
  first_due bigint;
BEGIN
  LOOP
    SELECT l.priority, l.run_at INTO level, first_due FROM honker.live AS l
    WHERE l.queue = queue AND l.state = 'pending' AND l.priority < level
    ORDER BY l.priority DESC, l.run_at, l.id LIMIT 1;
    EXIT WHEN NOT FOUND OR first_due <= now;
  END LOOP;
  RETURN level;
END $$;

-- Takes due jobs from the best level with any downwards.
CREATE OR REPLACE FUNCTION honker._claim_levels(
  rules honker.queues, queue text, worker_id text, n bigint, lease bigint, detailed boolean, now bigint
) RETURNS text[] LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  jobs text[] := '{}';
  taken honker.taken;
  level bigint;
  floor bigint;
  room_bytes bigint := 67108864;
  dead_letters bigint := 0;
BEGIN
  SELECT f.level, f.floor INTO level, floor FROM honker._front(queue, now) AS f;
  WHILE level IS NOT NULL LOOP
    -- A level is looked at again while it gives dead letters, which make way for others.
    LOOP
      IF honker._looks_at_keys(rules) THEN
        taken := honker._take_keyed(rules, queue, worker_id, level, n - cardinality(jobs), now + lease, room_bytes, detailed, floor, now);
      ELSE
        taken := honker._take(rules, queue, worker_id, level, n - cardinality(jobs), now + lease, room_bytes, detailed, floor, now);
      END IF;
      jobs := jobs || taken.jobs;
      room_bytes := room_bytes - taken.bytes;
      dead_letters := dead_letters + taken.dead_letters;
      IF cardinality(jobs) >= n OR room_bytes <= 0 OR dead_letters >= 1000 OR taken.is_parked THEN
        RETURN jobs;
      END IF;
      EXIT WHEN taken.dead_letters = 0;
    END LOOP;
    level := honker._due_level(queue, level, now);
    floor := -9223372036854775808;
  END LOOP;
  RETURN jobs;
END $$;

-- Takes due jobs of one level of a queue without rules for keys.
--
-- Index: live_ready, one seek, then neighbours; the rows are locked. Then the primary key: a join with the rows that were found would be
-- planned for a tenth of the table.
CREATE OR REPLACE FUNCTION honker._take(
  rules honker.queues, queue text, worker_id text, level bigint, n bigint, lease_end bigint, room_bytes bigint, detailed boolean,
  floor bigint, now bigint
) RETURNS honker.taken LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  taken honker.taken;
  over bigint[];
  ids bigint[];
BEGIN
  SELECT array_agg(p.id) FILTER (WHERE NOT p.is_over), array_agg(p.id) FILTER (WHERE p.is_over),
         coalesce(sum(p.bytes) FILTER (WHERE NOT p.is_over), 0)
  INTO ids, over, taken.bytes
  FROM (
    SELECT l.id, octet_length(l.payload) AS bytes, l.attempts >= l.max_attempts OR coalesce(l.expires_at <= now, false) AS is_over
    FROM honker.live AS l
    WHERE l.queue = queue AND l.state = 'pending' AND l.priority = level AND l.run_at BETWEEN floor AND now
    ORDER BY l.run_at, l.id LIMIT n
    FOR UPDATE SKIP LOCKED
  ) AS p;
  IF taken.bytes > room_bytes THEN
    ids := honker._fitting(ids, room_bytes);
  END IF;
  taken.jobs := honker._lease_all(rules, ids, worker_id, lease_end, detailed);
  IF ids IS NOT NULL AND honker._is_recording() THEN
    PERFORM honker._claims_moved(ids, queue, now);
  END IF;
  taken.dead_letters := CASE WHEN over IS NULL THEN 0 ELSE honker._bury_met(over, now) END;
  taken.is_parked := false;
  RETURN taken;
END $$;

-- The first jobs among these up to the one with which their payloads pass a number of bytes.
CREATE OR REPLACE FUNCTION honker._fitting(ids bigint[], room_bytes bigint) RETURNS bigint[] LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  RETURN ARRAY(SELECT m.id FROM (
    SELECT g.id, g.place, sum(octet_length(l.payload)) OVER (ORDER BY g.place) - octet_length(l.payload) AS before
    FROM unnest(ids) WITH ORDINALITY AS g (id, place) JOIN honker.live AS l ON l.id = g.id
  ) AS m WHERE m.before < room_bytes ORDER BY m.place);
END $$;

-- Leases locked jobs of one level. Returns their JSON in claim order.
--
-- The ties that change are START_GIVEN (256), which the next attempt needs anew, KEEP (64) and UNTIL_STARTED (4).
CREATE OR REPLACE FUNCTION honker._lease_all(rules honker.queues, ids bigint[], worker_id text, lease_end bigint, detailed boolean)
RETURNS text[] LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  keep bigint := CASE WHEN rules.keep_finished_s > 0 THEN 64 ELSE 0 END;
  jobs text[];
BEGIN
  IF ids IS NULL THEN
    RETURN '{}';
  END IF;
  WITH leased AS (
    UPDATE honker.live AS l
    SET state = 'processing', worker_id = worker_id, claim_expires_at = lease_end, attempts = l.attempts + 1,
        unique_key = CASE WHEN l.ties & 4 <> 0 THEN NULL ELSE l.unique_key END,
        ties = nullif(coalesce(l.ties, 0) & ~256::bigint | keep, 0)
    WHERE l.id = ANY (ids)
    RETURNING l.id, l.run_at, honker._job_json(l, detailed) AS job
  )
  SELECT coalesce(array_agg(c.job ORDER BY c.run_at, c.id), '{}') INTO jobs FROM leased AS c;
  RETURN jobs;
END $$;

-- Tells the record of moves about the claims of a call, with the time for which each job was due.
CREATE OR REPLACE FUNCTION honker._claims_moved(ids bigint[], queue text, now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  PERFORM honker._moved_many(
    array_agg(l.id), queue, array_agg(l.payload), 'claimed', array_agg(greatest(now - l.run_at, 0) / 1000.0::double precision), now)
  FROM honker.live AS l WHERE l.id = ANY (ids);
END $$;

-- Dead-letters rows without an attempt or time left, which this claim has locked. Returns how many. One whose key is locked by
-- another session is left for the next claim.
CREATE OR REPLACE FUNCTION honker._bury_met(ids bigint[], now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  job honker.live;
  buried bigint := 0;
BEGIN
  IF ids IS NULL THEN
    RETURN 0;
  END IF;
  FOR job IN SELECT l.* FROM honker.live AS l WHERE l.id = ANY (ids) ORDER BY l.run_at, l.id LOOP
    IF job.key IS NULL OR honker._try_lock_key(job.queue, job.key) THEN
      PERFORM honker._bury(job, honker._end_of_life(job, now), now);
      buried := buried + 1;
    END IF;
  END LOOP;
  -- Callers may wait for the end of these jobs.
  PERFORM honker._announce();
  RETURN buried;
END $$;

-- Why a job must not be claimed; NULL if it may be.
CREATE OR REPLACE FUNCTION honker._end_of_life(job honker.live, now bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN (job).expires_at <= now THEN 'expired'
    WHEN (job).attempts >= (job).max_attempts THEN 'max attempts exceeded'
  END
$$;

CREATE OR REPLACE FUNCTION honker.honker_claim_batch(
  queue text, worker_id text, n bigint, timeout_s double precision, detailed bigint DEFAULT NULL
) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
  RETURN '[' || array_to_string(honker._claim(
    queue, worker_id, n, honker._claim_lease(queue, worker_id, n, timeout_s), coalesce(detailed <> 0, false), honker._now()), ',') || ']';
END $$;
