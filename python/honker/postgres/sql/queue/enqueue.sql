-- Adding jobs.
--
-- "Now" is stored in milliseconds, and jobs of one millisecond keep their order through the id. The id comes from a sequence, so
-- two sessions that enqueue at once do not wait for each other.

-- The instant at which a job is due: a delay wins over run_at, and a delay of nothing means now.
CREATE OR REPLACE FUNCTION honker._due_at(run_at double precision, delay double precision, now bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  due bigint := CASE WHEN run_at IS NOT NULL THEN honker._instant(run_at, 'run_at') END;
  span bigint := CASE WHEN delay IS NOT NULL THEN honker._span(delay, 'delay') END;
BEGIN
  RETURN CASE WHEN span <> 0 THEN now + span WHEN span = 0 THEN now ELSE coalesce(due, now) END;
END $$;

-- Checks a job's own options and adds it. `flow` is what honker._flow returns; NULL for a plain job.
CREATE OR REPLACE FUNCTION honker._enqueue(
  queue text, payload text, run_at double precision, delay double precision, priority bigint, max_attempts bigint,
  expires double precision, flow honker.flow, now bigint
) RETURNS honker.added LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  job honker.live;
BEGIN
  PERFORM honker._name(queue, 'queue');
  PERFORM honker._text(payload, 'payload');
  job.queue := queue;
  job.payload := payload;
  job.run_at := CASE WHEN run_at IS NULL AND delay IS NULL THEN now ELSE honker._due_at(run_at, delay, now) END;
  job.priority := honker._integer(priority, 'priority', -9007199254740991, 9007199254740991);
  job.max_attempts := honker._integer(max_attempts, 'max_attempts', 1, 1000000);
  IF expires IS NOT NULL THEN
    job.expires_at := now + honker._span(expires, 'expires');
  END IF;
  RETURN honker._enqueue_job(job, flow, run_at IS NOT NULL OR delay IS NOT NULL, now);
END $$;

-- Adds a job whose options have been checked; `has_start` if its start was given.
CREATE OR REPLACE FUNCTION honker._enqueue_job(job honker.live, flow honker.flow, has_start boolean, now bigint) RETURNS honker.added
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  IF NOT (flow IS NULL) THEN
    RETURN honker._admit(job, flow, has_start, now);
  END IF;
  INSERT INTO honker.live AS l (queue, payload, priority, run_at, max_attempts, created_at, expires_at)
  VALUES (job.queue, job.payload, job.priority, job.run_at, job.max_attempts, now, job.expires_at)
  RETURNING l.id INTO job.id;
  IF honker._is_recording() THEN
    PERFORM honker._moved(job.id, job.queue, job.payload, 'enqueued', NULL, NULL, now);
  END IF;
  RETURN ROW(job.id, false)::honker.added;
END $$;

-- A plain job that is due now, with arguments in their ranges, is one statement: each expression of PL/pgSQL costs some microseconds in
-- a transaction. The record of moves is asked for in it too. It sets nothing for its plans, which costs 4 us and an INSERT does not
-- need; the last lines are those of honker._announce.
CREATE OR REPLACE FUNCTION honker.honker_enqueue(
  queue text, payload text, run_at double precision, delay double precision, priority bigint, max_attempts bigint,
  expires double precision
) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  job_id bigint;
  is_recorded boolean;
BEGIN
  IF run_at IS NULL AND delay IS NULL AND expires IS NULL AND octet_length(queue) BETWEEN 1 AND 255
      AND octet_length(payload) <= 104857600 AND priority BETWEEN -9007199254740991 AND 9007199254740991
      AND max_attempts BETWEEN 1 AND 1000000 THEN
    INSERT INTO honker.live AS l (queue, payload, priority, run_at, max_attempts, created_at)
    VALUES (queue, payload, priority, now, max_attempts, now)
    RETURNING l.id, EXISTS (SELECT 1 FROM honker.meta AS m WHERE m.key IN ('counters', 'events') AND m.value <> 0)
    INTO job_id, is_recorded;
    IF is_recorded THEN
      PERFORM honker._moved(job_id, queue, payload, 'enqueued', NULL, NULL, now);
    END IF;
  ELSE
    job_id := (honker._enqueue(queue, payload, run_at, delay, priority, max_attempts, expires, NULL, now)).id;
  END IF;
  IF pg_advisory_xact_lock_shared(1752133739, 2) IS NULL THEN
    RETURN NULL;
  ELSIF NOT pg_try_advisory_lock(1752133739, 1) THEN
    PERFORM pg_notify('honker', '');
  ELSIF pg_advisory_unlock(1752133739, 1) THEN
    RETURN job_id;
  END IF;
  RETURN job_id;
END $$;

-- The form with options as JSON.
CREATE OR REPLACE FUNCTION honker.honker_enqueue(queue text, payload text, options_json text) RETURNS bigint
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
  added honker.added;
BEGIN
  added := honker._enqueue_with(queue, payload, options_json, false);
  PERFORM honker._announce();
  RETURN added.id;
END $$;

-- As honker_enqueue of a job with a unique key, and says if that was taken.
CREATE OR REPLACE FUNCTION honker.honker_enqueue_unique(queue text, payload text, options_json text) RETURNS text
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
  added honker.added;
BEGIN
  added := honker._enqueue_with(queue, payload, options_json, true);
  PERFORM honker._announce();
  RETURN '{"id":' || added.id || ',"is_duplicate":' || added.is_duplicate || '}';
END $$;

CREATE OR REPLACE FUNCTION honker._enqueue_with(queue text, payload text, options_json text, needs_unique_key boolean)
RETURNS honker.added LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  given json;
  flow honker.flow;
BEGIN
  IF options_json IS NOT NULL THEN
    given := honker._json(options_json, 'options_json', 'object');
    PERFORM honker._require_known(given, 'options_json', honker._job_options() || honker._flow_options());
    flow := honker._flow(given);
  END IF;
  IF needs_unique_key AND flow.unique_key IS NULL THEN
    PERFORM honker._invalid('options_json', 'has no unique_key; give one, or call honker_enqueue');
  END IF;
  RETURN honker._enqueue(
    queue, payload, honker._number_option(given, 'run_at'), honker._number_option(given, 'delay'),
    CASE WHEN (given -> 'priority') IS NULL THEN 0 ELSE honker._integer_option(given, 'priority') END,
    CASE WHEN (given -> 'max_attempts') IS NULL THEN 3 ELSE honker._integer_option(given, 'max_attempts') END,
    honker._number_option(given, 'expires'), flow, honker._now());
END $$;
