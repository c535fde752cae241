-- Acknowledging several jobs in one call.

CREATE OR REPLACE FUNCTION honker.honker_ack_batch(ids_json text, worker_id text, attempts_json text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  now bigint := honker._now();
  claims honker.claim[];
  ids bigint[];
  attempts bigint[];
  acked bigint[];
  claim honker.claim;
  count bigint;
BEGIN
  IF octet_length(worker_id) BETWEEN 1 AND 255 AND honker._are_integers(ids_json) AND honker._are_integers(attempts_json) THEN
    ids := translate(ids_json, '[]', '{}')::bigint[];
    attempts := translate(attempts_json, '[]', '{}')::bigint[];
    IF cardinality(ids) = cardinality(attempts) AND cardinality(ids) <= 10000 THEN
      acked := honker._ack_plain(ids, attempts, worker_id, now);
      IF cardinality(acked) = cardinality(ids) THEN
        PERFORM honker._announce();
        RETURN cardinality(acked);
      END IF;
    END IF;
  END IF;
  claims := honker._claims_of(honker._settle_array(ids_json, 'ids_json'), attempts_json);
  PERFORM honker._name(worker_id, 'worker_id');
  acked := coalesce(acked, honker._ack_plain(
    ARRAY(SELECT c.id FROM unnest(claims) AS c), ARRAY(SELECT c.attempt FROM unnest(claims) AS c), worker_id, now));
  count := cardinality(acked);
  IF count < cardinality(claims) THEN
    PERFORM honker._lock_lines(claims);
  END IF;
  FOR claim IN SELECT c.id, c.attempt FROM unnest(claims) AS c WHERE c.id <> ALL (acked) LOOP
    count := count + honker._ack(claim.id, worker_id, claim.attempt, NULL, NULL, now)::integer;
  END LOOP;
  PERFORM honker._announced(count > 0);
  RETURN count;
END $$;

-- Ends those plain jobs among several whose claims are held. Returns their ids. None if moves are recorded: then each is told.
--
-- The rows are locked in the order of their ids: a nested loop keeps the order of the claims.
CREATE OR REPLACE FUNCTION honker._ack_plain(ids bigint[], attempts bigint[], worker_id text, now bigint) RETURNS bigint[]
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  acked bigint[];
BEGIN
  WITH gone AS (
    DELETE FROM honker.live AS l
    USING (SELECT u.id, u.attempt FROM unnest(ids, attempts) AS u (id, attempt) ORDER BY u.id) AS c
    WHERE l.id = c.id AND l.worker_id = worker_id AND (c.attempt IS NULL OR l.attempts = c.attempt)
      AND l.claim_expires_at >= now AND l.ties IS NULL
      AND NOT EXISTS (SELECT 1 FROM honker.meta AS m WHERE m.key IN ('counters', 'events') AND m.value <> 0)
    RETURNING l.id
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

-- True for a JSON array of non-negative integers and nothing else: PostgreSQL reads it as an array of its own at a tenth of the cost.
CREATE OR REPLACE FUNCTION honker._are_integers(value text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT value ~ E'^\\[(?:0|[1-9]\\d{0,17})(?:, ?(?:0|[1-9]\\d{0,17}))*\\]$'
$$;
