-- The ids of the live jobs that can match a filter, where an index gives them cheaply.
--
-- The indexes of live jobs order them by time or by priority, not by id, since each further index would cost every move
-- of a job. So the ids are collected, if they are not too many. If they are too many, they are no small part of the
-- table, and a walk over it meets them soon enough. Dead letters and finished jobs have an index of queue and id.

-- The candidates with ids up to `highest`, of which a page of `n` needs no more than n + 1 if each is a match; NULL if
-- no index gives them.
CREATE OR REPLACE FUNCTION honker._candidates_of(filter honker.job_filter, highest bigint, n bigint, now bigint)
RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  most bigint := honker._inspect_ids();
  found bigint[] := filter.ids;
  matches boolean := filter.ids IS NULL AND filter.task IS NULL AND filter.error IS NULL AND filter.part IS NULL
    AND filter.paths IS NULL AND filter.since IS NULL
    AND (filter.key IS NULL OR (filter.queue IS NOT NULL AND filter.state IS NULL));
BEGIN
  IF found IS NULL THEN
    IF filter.queue IS NOT NULL AND filter.key IS NOT NULL THEN
      found := ARRAY(
        SELECT l.id FROM honker.live AS l WHERE l.queue = filter.queue AND l.key = filter.key LIMIT most + 1);
    ELSIF filter.state IN ('ready', 'delayed') THEN
      found := honker._pending_candidates(filter.queue, filter.state = 'delayed', most, now);
    ELSIF filter.state IS NOT NULL THEN
      found := honker._state_candidates(filter.queue, filter.state, most);
    ELSIF filter.queue IS NOT NULL THEN
      found := honker._queue_candidates(filter.queue, most);
    END IF;
    IF found IS NULL OR cardinality(found) > most THEN
      RETURN NULL;
    END IF;
  END IF;
  RETURN ARRAY(
    SELECT f FROM unnest(found) AS f WHERE f <= highest ORDER BY f DESC LIMIT CASE WHEN matches THEN n + 1 END);
END $$;

-- The jobs of a queue, `most` + 1 at most.
CREATE OR REPLACE FUNCTION honker._queue_candidates(queue text, most bigint) RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  RETURN ARRAY(
    (SELECT l.id FROM honker.live AS l
     WHERE l.queue = queue AND l.state NOT IN ('pending', 'processing') LIMIT most + 1)
    UNION ALL
    (SELECT l.id FROM honker.live AS l WHERE l.queue = queue AND l.state = 'processing' LIMIT most + 1)
    UNION ALL
    (SELECT l.id FROM honker.live AS l WHERE l.queue = queue AND l.state = 'pending' LIMIT most + 1)
    LIMIT most + 1);
END $$;

-- The jobs, of a queue or of all, that are running, blocked or waiting. Over all queues those that are blocked or
-- waiting have one index: entries of the other state count, so that they are not walked over without end.
CREATE OR REPLACE FUNCTION honker._state_candidates(queue text, state text, most bigint) RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  found bigint[];
BEGIN
  IF state = 'running' THEN
    RETURN ARRAY(
      SELECT l.id FROM honker.live AS l
      WHERE l.state = 'processing' AND (queue IS NULL OR l.queue = queue) LIMIT most + 1);
  ELSIF queue IS NOT NULL THEN
    RETURN ARRAY(
      SELECT l.id FROM honker.live AS l
      WHERE l.queue = queue AND l.state = state AND l.state NOT IN ('pending', 'processing') LIMIT most + 1);
  END IF;
  found := ARRAY(
    SELECT CASE o.state WHEN state THEN o.id END
    FROM (SELECT l.id, l.state FROM honker.live AS l
          WHERE l.state NOT IN ('pending', 'processing') LIMIT most + 1) AS o);
  RETURN CASE WHEN cardinality(found) <= most THEN array_remove(found, NULL) END;
END $$;

-- The pending jobs that are due, or that are not, of a queue or of all: a range of each priority. NULL if there are too
-- many, or more than a thousand priorities.
--
-- The LIMIT within the join keeps it a seek for each priority.
CREATE OR REPLACE FUNCTION honker._pending_candidates(queue text, is_delayed boolean, most bigint, now bigint)
RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  most_levels bigint := 1000;
  found bigint[];
  looked_at bigint;
  last_level bigint;
BEGIN
  WITH RECURSIVE levels (queue, priority, place) AS (
    (SELECT l.queue, l.priority, 1::bigint FROM honker.live AS l
     WHERE l.state = 'pending' AND (queue IS NULL OR l.queue = queue) ORDER BY l.queue, l.priority DESC LIMIT 1)
    UNION ALL
    SELECT b.queue, b.priority, v.place + 1 FROM levels AS v CROSS JOIN LATERAL (
      (SELECT l.queue, l.priority FROM honker.live AS l
       WHERE l.state = 'pending' AND l.queue = v.queue AND l.priority < v.priority ORDER BY l.priority DESC LIMIT 1)
      UNION ALL
      (SELECT l.queue, l.priority FROM honker.live AS l
       WHERE queue IS NULL AND l.state = 'pending' AND l.queue > v.queue ORDER BY l.queue, l.priority DESC LIMIT 1)
      LIMIT 1
    ) AS b
    WHERE v.place <= most_levels
  )
  SELECT array_agg(f.id), count(*), max(f.place) INTO found, looked_at, last_level
  FROM (
    SELECT v.place, p.id FROM levels AS v LEFT JOIN LATERAL (
      SELECT l.id FROM honker.live AS l
      WHERE l.state = 'pending' AND l.queue = v.queue AND l.priority = v.priority
        AND CASE WHEN is_delayed THEN l.run_at > now ELSE l.run_at <= now END
      LIMIT most + 1
    ) AS p ON true
    LIMIT most + 1
  ) AS f;
  IF looked_at > most OR last_level > most_levels THEN
    RETURN NULL;
  END IF;
  RETURN coalesce(array_remove(found, NULL), '{}');
END $$;
