-- Acknowledging several jobs in one call.

CREATE OR REPLACE FUNCTION honker.honker_ack_batch(ids_json text, worker_id text, attempts_json text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  now bigint := honker._now();
  claims honker.claim[];
  acked bigint[];
  claim honker.claim;
  count bigint;
BEGIN
  claims := honker._claims_of(honker._settle_array(ids_json, 'ids_json'), attempts_json);
  PERFORM honker._name(worker_id, 'worker_id');
  acked := honker._ack_plain(claims, worker_id, now);
  count := cardinality(acked);
  PERFORM honker._lock_lines(claims);
  FOR claim IN SELECT c.id, c.attempt FROM unnest(claims) AS c WHERE c.id <> ALL (acked) LOOP
    count := count + honker._ack(claim.id, worker_id, claim.attempt, NULL, NULL, now)::integer;
  END LOOP;
  PERFORM honker._announced(count > 0);
  RETURN count;
END $$;

-- Ends those plain jobs among several whose claims are held. Returns their ids. None if moves are recorded: then each is told.
--
-- The rows are locked in the order of their ids.
CREATE OR REPLACE FUNCTION honker._ack_plain(claims honker.claim[], worker_id text, now bigint) RETURNS bigint[] LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  acked bigint[];
BEGIN
  IF honker._is_recording() THEN
    RETURN '{}';
  END IF;
  WITH held AS (
    SELECT l.id FROM unnest(claims) AS c JOIN honker.live AS l ON l.id = c.id
    WHERE l.worker_id = worker_id AND (c.attempt IS NULL OR l.attempts = c.attempt) AND l.claim_expires_at >= now AND l.ties IS NULL
    ORDER BY l.id FOR UPDATE OF l
  ), gone AS (
    DELETE FROM honker.live AS l USING held AS h WHERE l.id = h.id RETURNING l.id
  )
  SELECT coalesce(array_agg(g.id), '{}') INTO acked FROM gone AS g;
  RETURN acked;
END $$;

-- Locks the keys of jobs that are about to move, and of the jobs that wait for them, in one order; then, if there are such jobs, the rows
-- of both, by id. Two calls that end parents of the same jobs in different orders then do not end in a deadlock.
CREATE OR REPLACE FUNCTION honker._lock_lines(claims honker.claim[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  ids bigint[] := ARRAY(SELECT c.id FROM unnest(claims) AS c);
  children bigint[] := ARRAY(
    SELECT d.child_id FROM honker.dependencies AS d WHERE d.parent_id = ANY (ids) AND d.outcome IS NULL);
BEGIN
  PERFORM pg_advisory_xact_lock(1752133741, n.number) FROM (
    SELECT DISTINCT honker._key_number(l.queue, l.key) AS number
    FROM honker.live AS l JOIN honker.queues AS q ON q.name = l.queue
    WHERE l.key IS NOT NULL AND l.id = ANY (ids || children)
    ORDER BY number
  ) AS n;
  IF cardinality(children) > 0 THEN
    PERFORM 1 FROM honker.live AS l WHERE l.id = ANY (ids) ORDER BY l.id FOR UPDATE;
    PERFORM honker._lock_children(ids);
  END IF;
END $$;

-- Claims from ids, and pairs of id and attempt, completed by the attempts of a second array.
CREATE OR REPLACE FUNCTION honker._claims_of(given json, attempts_json text) RETURNS honker.claim[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  attempts json;
BEGIN
  IF EXISTS (
    SELECT 1 FROM json_array_elements(given) AS e (claim)
    WHERE NOT CASE json_typeof(e.claim)
      WHEN 'array' THEN json_array_length(e.claim) = 2 AND honker._is_integer(e.claim -> 0)
        AND (json_typeof(e.claim -> 1) = 'null' OR honker._is_integer(e.claim -> 1))
      ELSE honker._is_integer(e.claim) END
  ) THEN
    PERFORM honker._invalid('ids_json', 'is not a JSON array of integers or pairs of job id and attempt');
  END IF;
  IF attempts_json IS NOT NULL THEN
    attempts := honker._settle_array(attempts_json, 'attempts_json');
    IF json_array_length(attempts) <> json_array_length(given) THEN
      PERFORM honker._invalid('attempts_json', format(
        'has %s elements for %s ids; give one each', json_array_length(attempts), json_array_length(given)));
    ELSIF EXISTS (SELECT 1 FROM json_array_elements(attempts) AS e (attempt)
                  WHERE json_typeof(e.attempt) <> 'null' AND NOT honker._is_integer(e.attempt)) THEN
      PERFORM honker._invalid('attempts_json', 'is not a JSON array of integers and nulls');
    ELSIF EXISTS (SELECT 1 FROM json_array_elements(given) AS e (claim) WHERE json_typeof(e.claim) = 'array') THEN
      PERFORM honker._invalid('attempts_json', 'is given, and so is an attempt in ids_json; give it in one place');
    END IF;
  END IF;
  RETURN ARRAY(
    SELECT CASE json_typeof(e.claim)
      WHEN 'array' THEN ROW((e.claim ->> 0)::numeric::bigint, (e.claim ->> 1)::numeric::bigint)::honker.claim
      ELSE ROW((e.claim #>> '{}')::numeric::bigint, (attempts ->> (e.place - 1)::integer)::numeric::bigint)::honker.claim END
    FROM json_array_elements(given) WITH ORDINALITY AS e (claim, place) ORDER BY e.place);
END $$;
