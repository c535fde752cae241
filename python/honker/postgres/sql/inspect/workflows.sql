-- Workflows: records in a stream, with the states of their jobs.
--
-- A record is an event of the topic `_workflows`: an object with a name and the ids of the jobs by name. Packages write
-- it in the transaction of the jobs. Something else that was published under the topic is passed over.

-- The record in a payload; NULL if it is none.
CREATE OR REPLACE FUNCTION honker._record(payload text) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  record json;
BEGIN
  record := payload::json;
  IF json_typeof(record) = 'object' THEN
    IF json_typeof(record -> 'name') = 'string' AND json_typeof(record -> 'jobs') = 'object' THEN
      RETURN record;
    END IF;
  END IF;
  RETURN NULL;
EXCEPTION WHEN data_exception OR statement_too_complex THEN
  RETURN NULL;
END $$;

-- The names and ids of the jobs of a record.
CREATE OR REPLACE FUNCTION honker._jobs_of(record json, OUT name text, OUT id bigint) RETURNS SETOF record
LANGUAGE sql IMMUTABLE AS $$
  SELECT j.key, j.value::text::bigint FROM json_each(record -> 'jobs') AS j WHERE j.value::text ~ '^-?[0-9]{1,18}$'
$$;

-- The ids of the jobs of a workflow; none if it is not recorded.
CREATE OR REPLACE FUNCTION honker._members(id bigint) RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  record json;
BEGIN
  SELECT honker._record(s.payload) INTO record FROM honker.stream AS s WHERE s."offset" = id AND s.topic = '_workflows';
  RETURN ARRAY(SELECT DISTINCT j.id FROM honker._jobs_of(record) AS j);
END $$;

-- The id of the workflow that has this job; NULL if there is none, or its record is pruned.
--
-- A record is written after its jobs in their transaction, so the greatest ids of the records rise with their offsets,
-- and a binary search finds the one that can have the job. Workflows that two sessions enqueue at once, and a last job
-- that is an existing one with the same unique key, break the order; so the neighbours of the place that is found are
-- looked at too.
CREATE OR REPLACE FUNCTION honker._workflow_of(job_id bigint) RETURNS bigint
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_variable
DECLARE
  until timestamptz := honker._inspect_until();
  low bigint;
  high bigint;
  middle bigint;
  found record;
BEGIN
  SELECT min(s."offset"), max(s."offset") + 1 INTO low, high FROM honker.stream AS s WHERE s.topic = '_workflows';
  WHILE low < high AND clock_timestamp() < until LOOP
    middle := low + (high - low) / 2;
    found := honker._record_from(middle, high);
    IF found.id IS NULL OR (found.last_job >= job_id AND NOT job_id = ANY (found.jobs)) THEN
      high := middle;
    ELSIF job_id = ANY (found.jobs) THEN
      RETURN found.id;
    ELSE
      low := found.id + 1;
    END IF;
  END LOOP;
  RETURN (
    SELECT n."offset" FROM (
      (SELECT s."offset", s.payload FROM honker.stream AS s WHERE s.topic = '_workflows' AND s."offset" < low
       ORDER BY s."offset" DESC LIMIT 16)
      UNION ALL
      (SELECT s."offset", s.payload FROM honker.stream AS s WHERE s.topic = '_workflows' AND s."offset" >= low
       ORDER BY s."offset" LIMIT 16)
    ) AS n
    WHERE EXISTS (SELECT 1 FROM honker._jobs_of(honker._record(n.payload)) AS j WHERE j.id = job_id)
    ORDER BY n."offset" LIMIT 1);
END $$;

-- The first record with an offset from `first` on and below `beyond`, among the next 1,000 events: its offset, the ids
-- of its jobs, and the greatest of them.
CREATE OR REPLACE FUNCTION honker._record_from(
  first bigint, beyond bigint, OUT id bigint, OUT jobs bigint[], OUT last_job bigint
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  record json;
BEGIN
  FOR id, record IN
    SELECT s."offset", honker._record(s.payload) FROM honker.stream AS s
    WHERE s.topic = '_workflows' AND s."offset" >= first AND s."offset" < beyond ORDER BY s."offset" LIMIT 1000
  LOOP
    IF record IS NOT NULL THEN
      SELECT coalesce(array_agg(j.id), '{}'), coalesce(max(j.id), -9223372036854775808) INTO jobs, last_job
      FROM honker._jobs_of(record) AS j;
      RETURN;
    END IF;
  END LOOP;
  id := NULL;
END $$;

-- The state of a job as people see it; `done` for one that is gone. The last branch is the trace that a cancelled job
-- leaves for a day.
CREATE OR REPLACE FUNCTION honker._state_shown(job_id bigint, now bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  RETURN coalesce((
    SELECT honker._shown(l.state, l.run_at, now) FROM honker.live AS l WHERE l.id = job_id
    UNION ALL
    SELECT 'dead' FROM honker.dead AS d WHERE d.id = job_id
    UNION ALL
    SELECT f.state FROM honker.finished AS f WHERE f.id = job_id
    UNION ALL
    SELECT 'cancelled' FROM honker.results AS r WHERE r.job_id = job_id AND r.value IS NULL AND r.expires_at > now
    LIMIT 1), 'done');
END $$;

-- A workflow with its first 200 jobs: parents have smaller ids than their children.
CREATE OR REPLACE FUNCTION honker._workflow_json(id bigint, created_at bigint, record json, now bigint) RETURNS json
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  jobs json;
  states json;
BEGIN
  WITH members AS MATERIALIZED (
    SELECT m.name, m.id, honker._state_shown(m.id, now) AS state
    FROM (SELECT j.name, j.id FROM honker._jobs_of(record) AS j ORDER BY j.id, j.name LIMIT 200) AS m
  )
  SELECT (SELECT json_agg(json_build_object('name', m.name, 'job_id', m.id, 'state', m.state) ORDER BY m.id, m.name)
          FROM members AS m),
         (SELECT json_object_agg(s.state, s.count ORDER BY s.state)
          FROM (SELECT m.state, count(*) AS count FROM members AS m GROUP BY m.state) AS s)
  INTO jobs, states;
  RETURN json_build_object(
    'id', id, 'name', record ->> 'name', 'created_at', honker._seconds(created_at),
    'count', (SELECT count(DISTINCT k) FROM json_object_keys(record -> 'jobs') AS k),
    'states', coalesce(states, '{}'), 'jobs', coalesce(jobs, '[]'));
END $$;

CREATE OR REPLACE FUNCTION honker.honker_workflow_list(after bigint, n bigint) RETURNS text
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  until timestamptz := honker._inspect_until();
  events refcursor;
  event record;
  workflows json[] := '{}';
  looked_at bigint := 0;
  last bigint := after;
  next bigint;
BEGIN
  PERFORM honker._page_size(n);
  -- A cursor reads no further than the page needs: a record may be large.
  OPEN events FOR
    SELECT s."offset" AS id, s.payload, s.created_at FROM honker.stream AS s
    WHERE s.topic = '_workflows' AND s."offset" < coalesce(after, 9223372036854775807) ORDER BY s."offset" DESC;
  LOOP
    FETCH events INTO event;
    EXIT WHEN NOT FOUND;
    IF cardinality(workflows) >= n OR (looked_at > 0 AND clock_timestamp() > until) THEN
      next := last;
      EXIT;
    END IF;
    looked_at := looked_at + 1;
    last := event.id;
    IF honker._record(event.payload) IS NOT NULL THEN
      workflows := workflows || honker._workflow_json(event.id, event.created_at, event.payload::json, now);
    END IF;
  END LOOP;
  CLOSE events;
  RETURN json_build_object('workflows', array_to_json(workflows), 'next', next)::text;
END $$;
