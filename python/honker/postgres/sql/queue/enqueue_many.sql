-- Enqueueing several jobs, all or none.
--
-- Plain jobs are one INSERT. Their ids come from the sequence in the order of the array.

CREATE OR REPLACE FUNCTION honker.honker_enqueue_many(
  queue text, payloads_json text, run_at text, delay text, priority text, max_attempts text, expires text,
  flow_json text DEFAULT NULL
) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  payloads text[];
  count integer;
  jobs honker.live[];
  ids bigint[];
  -- The options that give each job a value of its own.
  own text[];
BEGIN
  PERFORM honker._name(queue, 'queue');
  payloads := ARRAY(SELECT e.payload::text FROM json_array_elements(honker._json(payloads_json, 'payloads_json', 'array')) AS e (payload));
  count := cardinality(payloads);
  IF count > 100000 THEN
    PERFORM honker._invalid('payloads_json', format('has %s elements; at most 100000 are allowed', count));
  END IF;
  IF run_at IS NULL AND delay IS NULL AND expires IS NULL AND flow_json IS NULL AND priority ~ E'^-?\\d{1,15}$'
      AND max_attempts ~ E'^[1-9]\\d{0,5}$' THEN
    WITH added AS (
      INSERT INTO honker.live AS l (queue, payload, priority, run_at, max_attempts, created_at)
      SELECT queue, p.payload, priority::bigint, now, max_attempts::bigint, now FROM unnest(payloads) AS p (payload)
      RETURNING l.id
    )
    SELECT array_agg(a.id) INTO ids FROM added AS a;
    RETURN honker._added(ids, queue, payloads, now);
  END IF;
  own := ARRAY(
    SELECT o.option FROM (
      VALUES ('run_at', run_at), ('delay', delay), ('priority', priority), ('max_attempts', max_attempts), ('expires', expires)
    ) AS o (option, given) WHERE o.given ~ E'^\\s*\\[');
  jobs := ARRAY(SELECT honker._new_job(j.payload, j.run_at, j.delay, j.priority, j.max_attempts, j.expires, now, own, j.place)
  FROM unnest(
    payloads, honker._column(run_at, 'run_at', count), honker._column(delay, 'delay', count),
    honker._column(priority, 'priority', count), honker._column(max_attempts, 'max_attempts', count),
    honker._column(expires, 'expires', count)
  ) WITH ORDINALITY AS j (payload, run_at, delay, priority, max_attempts, expires, place) ORDER BY j.place);
  IF flow_json IS NOT NULL THEN
    ids := honker._enqueue_each(queue, jobs, flow_json, run_at IS NOT NULL OR delay IS NOT NULL, now);
  ELSE
    WITH added AS (
      INSERT INTO honker.live AS l (queue, payload, priority, run_at, max_attempts, created_at, expires_at)
      SELECT queue, j.payload, j.priority, j.run_at, j.max_attempts, now, j.expires_at FROM unnest(jobs) AS j
      RETURNING l.id
    )
    SELECT array_agg(a.id) INTO ids FROM added AS a;
    RETURN honker._added(ids, queue, payloads, now);
  END IF;
  PERFORM honker._announced(count > 0);
  RETURN coalesce(array_to_json(ids)::text, '[]');
END $$;

-- Records and announces new jobs. Returns their ids as JSON.
CREATE OR REPLACE FUNCTION honker._added(ids bigint[], queue text, payloads text[], now bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF ids IS NULL THEN
    RETURN '[]';
  ELSIF honker._is_recording() THEN
    PERFORM honker._moved_many(ids, queue, payloads, 'enqueued', NULL, now);
  END IF;
  PERFORM honker._announce();
  RETURN array_to_json(ids)::text;
END $$;

-- One option for each job: an array gives each its own, any other value is that of all.
CREATE OR REPLACE FUNCTION honker._column(given text, option text, count integer) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  elements json;
BEGIN
  IF given IS NULL THEN
    RETURN array_fill(NULL::double precision, ARRAY[count]);
  ELSIF given !~ E'^\\s*\\[' THEN
    BEGIN
      RETURN array_fill(given::double precision, ARRAY[count]);
    EXCEPTION WHEN invalid_text_representation OR numeric_value_out_of_range THEN
      PERFORM honker._invalid(option, 'is text, and not a JSON array of numbers');
    END;
  END IF;
  BEGIN
    elements := given::json;
  EXCEPTION WHEN invalid_text_representation OR untranslatable_character THEN
    PERFORM honker._invalid(option, 'is text, and not a JSON array of numbers');
  END;
  IF json_array_length(elements) <> count THEN
    PERFORM honker._invalid(option, format('has %s elements for %s payloads; give one each', json_array_length(elements), count));
  ELSIF EXISTS (SELECT 1 FROM json_array_elements(elements) AS e (value) WHERE json_typeof(e.value) NOT IN ('number', 'null')) THEN
    PERFORM honker._invalid(option, 'is text, and not a JSON array of numbers');
  END IF;
  RETURN ARRAY(
    SELECT e.value::double precision FROM json_array_elements_text(elements) WITH ORDINALITY AS e (value, place) ORDER BY e.place);
END $$;

-- A job with its own options, checked.
CREATE OR REPLACE FUNCTION honker._new_job(
  payload text, run_at double precision, delay double precision, priority double precision, max_attempts double precision,
  expires double precision, now bigint, own text[], place bigint
) RETURNS honker.live LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  job honker.live;
BEGIN
  IF priority <> trunc(priority) THEN
    PERFORM honker._invalid(honker._placed('priority', own, place), 'is no integer');
  ELSIF max_attempts <> trunc(max_attempts) THEN
    PERFORM honker._invalid(honker._placed('max_attempts', own, place), 'is no integer');
  END IF;
  job.payload := payload;
  -- Checked here, with the place in the message.
  IF run_at IS NOT NULL THEN
    PERFORM honker._instant(run_at, honker._placed('run_at', own, place));
  END IF;
  IF delay IS NOT NULL THEN
    PERFORM honker._span(delay, honker._placed('delay', own, place));
  END IF;
  job.run_at := CASE WHEN run_at IS NULL AND delay IS NULL THEN now ELSE honker._due_at(run_at, delay, now) END;
  job.priority := honker._integer(priority::bigint, honker._placed('priority', own, place), -9007199254740991, 9007199254740991);
  job.max_attempts := honker._integer(max_attempts::bigint, honker._placed('max_attempts', own, place), 1, 1000000);
  job.expires_at := CASE WHEN expires IS NOT NULL THEN now + honker._span(expires, honker._placed('expires', own, place)) END;
  RETURN job;
END $$;

-- An option as messages name it: with the place of the job, if each job has its own value.
CREATE OR REPLACE FUNCTION honker._placed(option text, own text[], place bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN option = ANY (own) THEN option || ' at position ' || place - 1 ELSE option END
$$;

-- Adds jobs with relations to others, in their order: an object of them for all jobs, or an array with an object or null for each.
CREATE OR REPLACE FUNCTION honker._enqueue_each(queue text, jobs honker.live[], flow_json text, has_start boolean, now bigint)
RETURNS bigint[] LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  flows honker.flow[] := honker._flows(flow_json, cardinality(jobs));
  ids bigint[] := '{}';
  added honker.added;
  job honker.live;
  flow honker.flow;
  place integer := 0;
BEGIN
  FOREACH job IN ARRAY jobs LOOP
    place := place + 1;
    job.queue := queue;
    flow := flows[least(place, cardinality(flows))];
    added := honker._enqueue_job(job, flow, has_start, now);
    ids := ids || added.id;
  END LOOP;
  RETURN ids;
END $$;

CREATE OR REPLACE FUNCTION honker._flows(flow_json text, count integer) RETURNS honker.flow[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  given json;
BEGIN
  IF flow_json ~ E'^\\s*\\{' THEN
    RETURN ARRAY[honker._flow_of(honker._json(flow_json, 'flow_json', 'object'))];
  END IF;
  given := honker._json(flow_json, 'flow_json', 'array');
  IF json_array_length(given) <> count THEN
    PERFORM honker._invalid('flow_json', format('has %s elements for %s payloads; give one each', json_array_length(given), count));
  END IF;
  RETURN ARRAY(SELECT honker._flow_of(e.flow) FROM json_array_elements(given) WITH ORDINALITY AS e (flow, place) ORDER BY e.place);
END $$;

CREATE OR REPLACE FUNCTION honker._flow_of(given json) RETURNS honker.flow LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF json_typeof(given) = 'null' THEN
    RETURN NULL;
  ELSIF json_typeof(given) <> 'object' THEN
    PERFORM honker._invalid('flow_json', format('has %s; an object or null is allowed', given));
  END IF;
  PERFORM honker._require_known(given, 'flow_json', honker._flow_options());
  RETURN honker._flow(given);
END $$;

-- The forms with numbers in the place of each option. PostgreSQL chooses a function by the types of its arguments, and does not make
-- a text of a number by itself.
DO $do$
DECLARE
  form integer;
  option integer;
  options text[] := ARRAY['run_at', 'delay', 'priority', 'max_attempts', 'expires'];
  types text[] := ARRAY['double precision', 'double precision', 'bigint', 'bigint', 'double precision'];
  parameters text;
  arguments text;
BEGIN
  FOR form IN 1..31 LOOP
    parameters := '';
    arguments := '';
    FOR option IN 1..5 LOOP
      parameters := parameters || options[option] || ' ' || CASE WHEN form & (1 << option - 1) <> 0 THEN types[option] ELSE 'text' END || ', ';
      arguments := arguments || options[option] || CASE WHEN form & (1 << option - 1) <> 0 THEN '::text' ELSE '' END || ', ';
    END LOOP;
    EXECUTE format(
      'CREATE OR REPLACE FUNCTION honker.honker_enqueue_many(queue text, payloads_json text, %sflow_json text DEFAULT NULL)'
      ' RETURNS text LANGUAGE sql AS $$ SELECT honker.honker_enqueue_many(queue, payloads_json, %sflow_json) $$',
      parameters, arguments);
  END LOOP;
END $do$;
