-- Renewing leases. A lapsed lease is not revived.

CREATE OR REPLACE FUNCTION honker.honker_heartbeat(
  job_id bigint, worker_id text, extend_s double precision, attempt bigint DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  lease bigint := honker._lease(extend_s, 'extend_s');
BEGIN
  PERFORM honker._job_id(job_id);
  PERFORM honker._name(worker_id, 'worker_id');
  UPDATE honker.live AS l SET claim_expires_at = now + lease
  WHERE l.id = job_id AND l.worker_id = worker_id AND (attempt IS NULL OR l.attempts = attempt)
    AND l.claim_expires_at >= now AND l.state = 'processing';
  RETURN FOUND::integer;
END $$;

-- The rows are locked in the order of their ids: two calls that renew the same claims do not wait for each other in a circle.
CREATE OR REPLACE FUNCTION honker.honker_heartbeat_batch(claims_json text, worker_id text, extend_s double precision) RETURNS text
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  claims honker.claim[] := honker._claims(claims_json);
  lease bigint := honker._lease(extend_s, 'extend_s');
  renewed bigint[];
BEGIN
  PERFORM honker._name(worker_id, 'worker_id');
  WITH held AS (
    SELECT l.id FROM honker.live AS l
    WHERE l.id IN (SELECT c.id FROM unnest(claims) AS c) AND l.worker_id = worker_id AND l.claim_expires_at >= now
      AND l.state = 'processing' AND (l.id, l.attempts) IN (SELECT c.id, c.attempt FROM unnest(claims) AS c)
    ORDER BY l.id FOR NO KEY UPDATE
  ), extended AS (
    UPDATE honker.live AS l SET claim_expires_at = now + lease FROM held AS h WHERE l.id = h.id RETURNING l.id, l.attempts
  )
  SELECT array_agg(c.id ORDER BY c.place) INTO renewed
  FROM unnest(claims) WITH ORDINALITY AS c (id, attempt, place)
  WHERE (c.id, c.attempt) NOT IN (SELECT e.id, e.attempts FROM extended AS e);
  RETURN coalesce(array_to_json(renewed)::text, '[]');
END $$;

-- The pairs of id and attempt in a JSON array.
CREATE OR REPLACE FUNCTION honker._claims(claims_json text) RETURNS honker.claim[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  given json := honker._settle_array(claims_json, 'claims_json');
BEGIN
  IF EXISTS (
    SELECT 1 FROM json_array_elements(given) AS e (pair)
    WHERE json_typeof(e.pair) <> 'array' OR json_array_length(CASE json_typeof(e.pair) WHEN 'array' THEN e.pair ELSE '[]' END) <> 2
      OR NOT honker._is_integer(e.pair -> 0) OR NOT honker._is_integer(e.pair -> 1)
  ) THEN
    PERFORM honker._invalid('claims_json', 'is not a JSON array of pairs of job id and attempt');
  END IF;
  RETURN ARRAY(
    SELECT ROW((e.pair ->> 0)::numeric::bigint, (e.pair ->> 1)::numeric::bigint)::honker.claim
    FROM json_array_elements(given) WITH ORDINALITY AS e (pair, place) ORDER BY e.place);
END $$;

-- A JSON array of as many elements as a call may settle.
CREATE OR REPLACE FUNCTION honker._settle_array(value text, argument text) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  given json := honker._json(value, argument, 'array');
BEGIN
  IF json_array_length(given) > 10000 THEN
    PERFORM honker._invalid(argument, format('has %s elements; at most 10000 are allowed', json_array_length(given)));
  END IF;
  RETURN given;
END $$;

-- True for a JSON integer of 64 bits, also in the form of a whole number with a decimal point.
CREATE OR REPLACE FUNCTION honker._is_integer(value json) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN json_typeof(value) = 'number' THEN
    (value #>> '{}')::numeric = trunc((value #>> '{}')::numeric) AND abs((value #>> '{}')::numeric) <= 9223372036854775807
  ELSE false END
$$;
