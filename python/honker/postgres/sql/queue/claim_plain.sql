-- The short way of a claim, in two statements: for a queue without settings, without a lapsed lease, and whose first job is due.
--
-- Each statement and expression of PL/pgSQL costs some microseconds in a transaction, so the way through claim.sql takes several times
-- as long as its index seeks. It takes whatever this way leaves.

-- The jobs of a claim as JSON texts, in claim order.
CREATE OR REPLACE FUNCTION honker._claim(queue text, worker_id text, n bigint, lease bigint, detailed boolean, now bigint)
RETURNS text[] LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  jobs text[];
  bytes bigint;
  latest bigint;
  floor bigint;
  first_id bigint;
  level bigint := CASE WHEN n > 0 THEN honker._plain_level(queue, now) END;
BEGIN
  IF level IS NULL THEN
    RETURN honker._claim_by_rules(queue, worker_id, n, lease, detailed, now);
  END IF;
  floor := split_part(current_setting('honker.place', true), ' ', 3)::bigint;
  first_id := split_part(current_setting('honker.place', true), ' ', 5)::bigint;
  -- Rows without an attempt or time left are passed over; they are locked until the end of this transaction, as the others are. The
  -- ties that change are START_GIVEN (256) and UNTIL_STARTED (4).
  WITH leased AS (
    UPDATE honker.live AS l
    SET state = 'processing', worker_id = worker_id, claim_expires_at = now + lease, attempts = l.attempts + 1,
        unique_key = CASE WHEN l.ties & 4 <> 0 THEN NULL ELSE l.unique_key END, ties = nullif(l.ties & ~256::bigint, 0)
    WHERE l.id = ANY (ARRAY(
      SELECT m.id FROM (
        SELECT p.id, sum(p.bytes) OVER (ORDER BY p.run_at, p.id ROWS UNBOUNDED PRECEDING) - p.bytes AS bytes_before
        FROM (
          SELECT f.id, f.run_at, octet_length(f.payload) AS bytes FROM honker.live AS f
          WHERE f.queue = queue AND f.state = 'pending' AND f.priority = level
            AND (f.run_at, f.id) >= (floor, first_id) AND f.run_at <= now
          ORDER BY f.run_at, f.id LIMIT n
          FOR UPDATE SKIP LOCKED
        ) AS p
      ) AS m WHERE m.bytes_before < 67108864
    )) AND l.attempts < l.max_attempts AND (l.expires_at IS NULL OR l.expires_at > now)
    RETURNING l.id, l.run_at, octet_length(l.payload) AS bytes, honker._job_json(l, detailed) AS job
  )
  SELECT array_agg(c.job ORDER BY c.run_at, c.id), sum(c.bytes) INTO jobs, bytes FROM leased AS c;
  IF cardinality(jobs) >= n OR bytes >= 67108864 THEN
    RETURN jobs;
  ELSIF jobs IS NOT NULL AND honker._due_level(queue, NULL, now) IS NULL THEN
    RETURN jobs;
  END IF;
  RETURN jobs || honker._claim_by_rules(queue, worker_id, n - coalesce(cardinality(jobs), 0), lease, detailed, now);
END $$;

-- The priority of the first waiting job of a queue that can be claimed the short way; NULL if it cannot. The setting honker.place of
-- the session then has the time and the id from which to search: `queue level time until id`. Many jobs of one call have the same time.
--
-- Entries of jobs that have ended stay in the indexes until a vacuum, and a full look walks over them. So one that took T begins the
-- looks of the next 20 T where it has found the first job, and they leave lapsed leases to the next full one. A job that is put before
-- that place is seen by the next full look too, or when no other is left. It is a hint, as in front.sql.
CREATE OR REPLACE FUNCTION honker._plain_level(queue text, now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  place text[] := string_to_array(current_setting('honker.place', true), ' ');
  level bigint;
  floor bigint;
  until bigint;
  first_id bigint;
BEGIN
  IF place[1] = hashtext(queue)::text AND place[4]::bigint - now BETWEEN 0 AND 10000 THEN
    level := place[2]::bigint;
    floor := place[3]::bigint;
    until := place[4]::bigint;
    first_id := coalesce(place[5]::bigint, 0);
    SELECT l.run_at, l.id INTO floor, first_id FROM honker.live AS l
    WHERE l.queue = queue AND l.state = 'pending' AND l.priority = level
      AND (l.run_at, l.id) >= (floor, first_id) AND l.run_at <= now
      AND NOT EXISTS (SELECT 1 FROM honker.queues AS q WHERE q.name = queue)
      AND NOT EXISTS (SELECT 1 FROM honker.live AS h WHERE h.queue = queue AND h.state = 'pending' AND h.priority > level)
      AND NOT EXISTS (SELECT 1 FROM honker.meta AS m WHERE m.key IN ('counters', 'events') AND m.value <> 0)
      AND NOT EXISTS (SELECT 1 FROM honker.meta AS m WHERE m.key = 'min_writer_version' AND m.value > honker._version())
    ORDER BY l.run_at, l.id LIMIT 1;
  ELSE
    SELECT f.level, f.floor, f.first_id, f.until INTO level, floor, first_id, until FROM honker._plain_head(queue, now) AS f;
  END IF;
  IF floor IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM set_config('honker.place', concat_ws(' ', hashtext(queue), level, floor, until, first_id), false);
  RETURN level;
END $$;

-- A full look: the priority, the time and the id of the first waiting job, and until when they may be remembered. NULLs if the job is
-- not due, or the short way is closed.
CREATE OR REPLACE FUNCTION honker._plain_head(
  queue text, now bigint, OUT level bigint, OUT floor bigint, OUT first_id bigint, OUT until bigint
)
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  began_at timestamptz := clock_timestamp();
BEGIN
  SELECT f.priority, f.run_at, f.id INTO level, floor, first_id
  FROM (
    SELECT l.priority, l.run_at, l.id FROM honker.live AS l WHERE l.queue = queue AND l.state = 'pending'
    ORDER BY l.priority DESC, l.run_at, l.id LIMIT 1
  ) AS f
  WHERE f.run_at <= now
    AND NOT EXISTS (SELECT 1 FROM honker.queues AS q WHERE q.name = queue)
    AND NOT EXISTS (SELECT 1 FROM honker.live AS l WHERE l.queue = queue AND l.state = 'processing' AND l.claim_expires_at < now)
    AND NOT EXISTS (
      SELECT 1 FROM honker.live AS l WHERE l.queue = queue AND l.state = 'processing' AND l.claim_expires_at > now + 31536000000)
    AND NOT EXISTS (SELECT 1 FROM honker.meta AS m WHERE m.key IN ('counters', 'events') AND m.value <> 0)
    AND NOT EXISTS (SELECT 1 FROM honker.meta AS m WHERE m.key = 'min_writer_version' AND m.value > honker._version());
  until := now + (extract(epoch FROM clock_timestamp() - began_at) * 20000)::bigint;
END $$;

-- Checks the arguments of a claim. Returns its lease in milliseconds.
CREATE OR REPLACE FUNCTION honker._claim_lease(queue text, worker_id text, n bigint, timeout_s double precision) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF octet_length(queue) BETWEEN 1 AND 255 AND octet_length(worker_id) BETWEEN 1 AND 255 AND n BETWEEN 0 AND 10000
      AND timeout_s BETWEEN 1 AND 31536000 AND timeout_s = trunc(timeout_s) THEN
    RETURN timeout_s::bigint * 1000;
  END IF;
  PERFORM honker._name(queue, 'queue');
  PERFORM honker._name(worker_id, 'worker_id');
  PERFORM honker._integer(n, 'n', 0, 10000);
  RETURN honker._lease(timeout_s, 'timeout_s');
END $$;
