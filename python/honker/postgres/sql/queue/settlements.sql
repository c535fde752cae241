-- The settlements of a round: what each handler's end does to its job.

-- Settles jobs of a worker. Returns a digit for each, in order, with commas: 0 the claim was lost, 1 it was held, 2 nothing was done,
-- since other jobs wait for the result that is not sent.
--
-- Acks of plain jobs are one statement, and come first; no job depends on them. The keys of the others are locked in one order before
-- the first of them moves. A list that names a job twice is settled one by one.
CREATE OR REPLACE FUNCTION honker._settle(worker_id text, settlements_json text, now bigint) RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  claims bigint[];
  settlements honker.settlement[];
  settlement honker.settlement;
  acked bigint[] := '{}';
  settled integer[] := '{}';
BEGIN
  IF settlements_json = '[]' THEN
    RETURN '';
  END IF;
  claims := honker._plain_acks(settlements_json);
  IF claims IS NOT NULL THEN
    acked := honker._ack_plain(claims[:][1:1], claims[:][2:2], worker_id, now);
    IF cardinality(acked) * 2 = cardinality(claims) THEN
      PERFORM honker._announce();
      RETURN repeat('1,', cardinality(acked) - 1) || '1';
    END IF;
  END IF;
  settlements := honker._settlements(honker._settle_array(settlements_json, 'settlements_json'));
  IF settlements = '{}' THEN
    RETURN '';
  ELSIF claims IS NULL AND (SELECT count(DISTINCT s.id) = count(*) FROM unnest(settlements) AS s) THEN
    acked := honker._ack_plain(
      ARRAY(SELECT s.id FROM unnest(settlements) AS s WHERE s.verb = 'ack'),
      ARRAY(SELECT s.attempt FROM unnest(settlements) AS s WHERE s.verb = 'ack'), worker_id, now);
  END IF;
  IF cardinality(acked) < cardinality(settlements) THEN
    PERFORM honker._lock_lines(ARRAY(
      SELECT ROW(s.id, s.attempt)::honker.claim FROM unnest(settlements) AS s WHERE s.id <> ALL (acked)));
  END IF;
  FOREACH settlement IN ARRAY settlements LOOP
    IF settlement.id = ANY (acked) THEN
      settled := settled || 1;
      IF settlement.result IS NOT NULL THEN
        PERFORM honker._save_result(settlement.id, settlement.result, settlement.result_ttl, now);
      END IF;
    ELSE
      settled := settled || honker._settle_one(worker_id, settlement, now);
    END IF;
  END LOOP;
  PERFORM honker._announced(1 = ANY (settled));
  RETURN array_to_string(settled, ',');
END $$;

-- The jobs and attempts of settlements in the form in which workers write acks without results; NULL in any other form, also if a
-- job is named twice. Such a text is taken as an array of integers: reading it as JSON, field by field, takes 10 us a job.
CREATE OR REPLACE FUNCTION honker._plain_acks(settlements_json text) RETURNS bigint[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  ack CONSTANT text := E'\\{"id":[1-9]\\d{0,17},"attempt":\\d{1,7},"do":"ack"(?:,"withholds_result":true)?\\}';
  claims bigint[];
BEGIN
  IF settlements_json !~ (E'^\\[' || ack || '(?:,' || ack || E')*\\]$') THEN
    RETURN NULL;
  END IF;
  settlements_json := replace(replace(settlements_json, ',"do":"ack"', ''), ',"withholds_result":true', '');
  claims := translate(replace(replace(settlements_json, '"id":', ''), '"attempt":', ''), '[]', '{}')::bigint[];
  IF cardinality(claims) > 20000
      OR (SELECT count(DISTINCT c.id) < cardinality(claims) / 2 FROM unnest(claims[:][1:1]) AS c (id)) THEN
    RETURN NULL;
  END IF;
  RETURN claims;
END $$;

CREATE OR REPLACE FUNCTION honker._settle_one(worker_id text, settlement honker.settlement, now bigint) RETURNS integer
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  is_held boolean;
  s honker.settlement := settlement;
BEGIN
  IF s.withholds_result THEN
    -- A job may gain dependents while it runs, up to the lock of its row.
    PERFORM 1 FROM honker.live AS l WHERE l.id = s.id AND l.ties & 8 <> 0;
    IF FOUND AND EXISTS (SELECT 1 FROM honker.dependencies AS d WHERE d.parent_id = s.id) THEN
      RETURN 2;
    END IF;
  END IF;
  IF s.task IS NOT NULL THEN
    PERFORM honker._know_task(s.id, s.task);
  END IF;
  CASE s.verb
    WHEN 'ack' THEN is_held := honker._ack(s.id, worker_id, s.attempt, s.result, s.run_s, now);
    WHEN 'retry' THEN
      is_held := honker._retry(s.id, worker_id, s.attempt, coalesce(s.delay, 0), coalesce(s.error, ''), s.run_s, now);
    WHEN 'fail' THEN is_held := honker._fail_claim(s.id, worker_id, s.attempt, coalesce(s.error, ''), s.run_s, now);
    WHEN 'snooze' THEN
      is_held := honker._snooze(s.id, worker_id, s.attempt, coalesce(s.delay, 0), s.error, s.hold, s.run_s, now);
    WHEN 'cancel' THEN is_held := honker._cancel_held(s.id, worker_id, s.attempt, s.run_s, now);
    WHEN 'release' THEN
      is_held := honker._release(s.id, worker_id, s.attempt, s.delay, s.error, coalesce(s.is_unknown, false), now);
  END CASE;
  IF is_held AND s.result IS NOT NULL THEN
    PERFORM honker._save_result(s.id, s.result, s.result_ttl, now);
  END IF;
  RETURN is_held::integer;
END $$;

-- The settlements of a JSON array, checked. One that is wrong refuses all.
CREATE OR REPLACE FUNCTION honker._settlements(given json) RETURNS honker.settlement[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  problem text;
BEGIN
  SELECT honker._settlement_problem(e.settlement) INTO problem FROM json_array_elements(given) AS e (settlement)
  WHERE honker._settlement_problem(e.settlement) IS NOT NULL LIMIT 1;
  IF FOUND THEN
    PERFORM honker._invalid('settlements_json', problem);
  END IF;
  RETURN ARRAY(
    SELECT ROW(
      s.id::bigint, s.attempt::bigint, s."do", honker._milliseconds(s.delay_s), s.error, s.result,
      coalesce(honker._milliseconds(s.result_ttl_s), 0), s.withholds_result, s.is_unknown, s.run_s, s.hold, s.task
    )::honker.settlement
    FROM json_to_recordset(given) AS s (
      id numeric, attempt numeric, "do" text, delay_s double precision, error text, result text, result_ttl_s double precision,
      withholds_result boolean, is_unknown boolean, run_s double precision, hold text, task text));
END $$;

-- Why a settlement is refused; NULL if it is right.
CREATE OR REPLACE FUNCTION honker._settlement_problem(s json) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  field text;
  value json;
BEGIN
  IF json_typeof(s) <> 'object' THEN
    RETURN format('has %s, and not an object', s);
  ELSIF NOT coalesce(honker._is_integer(s -> 'id') AND honker._is_integer(s -> 'attempt'), false) THEN
    RETURN 'has an element without an id or an attempt; give integers';
  ELSIF coalesce(s ->> 'do', '') NOT IN ('ack', 'retry', 'fail', 'release', 'snooze', 'cancel') THEN
    RETURN format('has the do %s; ack, retry, fail, release, snooze and cancel are allowed', s -> 'do');
  END IF;
  FOR field, value IN SELECT e.key, e.value FROM json_each(s) AS e WHERE json_typeof(e.value) <> 'null' LOOP
    CASE
      WHEN field IN ('id', 'attempt', 'do') THEN NULL;
      WHEN field IN ('delay_s', 'run_s', 'result_ttl_s') THEN
        IF json_typeof(value) <> 'number' OR (value #>> '{}')::numeric > 3155760000
            OR (value #>> '{}')::numeric < (CASE field WHEN 'result_ttl_s' THEN -3155760000 ELSE 0 END) THEN
          RETURN format('has a %s of %s, which is out of range', field, value);
        END IF;
      WHEN field IN ('error', 'result', 'task', 'hold') THEN
        IF json_typeof(value) <> 'string' OR (field = 'hold' AND value #>> '{}' NOT IN ('queue', 'key')) THEN
          RETURN format('has the %s %s', field, left(value::text, 200));
        ELSIF field = 'task' AND octet_length(value #>> '{}') > 255 THEN
          RETURN format('has a task of %s bytes; up to 255 are allowed', octet_length(value #>> '{}'));
        END IF;
      WHEN field IN ('withholds_result', 'is_unknown') THEN
        IF json_typeof(value) <> 'boolean' THEN
          RETURN format('has the %s %s; true or false are allowed', field, value);
        END IF;
      ELSE RETURN format('has the unknown field "%s"', field);
    END CASE;
  END LOOP;
  RETURN NULL;
END $$;
