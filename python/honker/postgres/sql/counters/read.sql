-- Reading the counters. Each is one statement, so it sees the moves of whole transactions.

-- A row of sums as JSON: a queue and task, at a time or of a minute.
CREATE OR REPLACE FUNCTION honker._counted(sums honker.counters) RETURNS json LANGUAGE sql IMMUTABLE AS $$
  SELECT json_build_object(
    'queue', (sums).queue, 'task', (sums).task, 'minute', (sums).minute * 60,
    'enqueued', (sums).enqueued, 'claimed', (sums).claimed,
    'done', (sums).done, 'failed', (sums).failed, 'retried', (sums).retried, 'dead', (sums).dead,
    'cancelled', (sums).cancelled,
    'snoozed', (sums).snoozed, 'released', (sums).released, 'lapsed', (sums).lapsed, 'runs', (sums).runs,
    'run_s', honker._real((sums).run_s), 'run_max_s', honker._real((sums).run_max_s),
    'wait_s', honker._real((sums).wait_s), 'wait_max_s', honker._real((sums).wait_max_s))
$$;

-- The next queue and task that have counters, after these; of one queue if `within` names it. After the task NULL comes the
-- empty one.
CREATE OR REPLACE FUNCTION honker._next_counted(queue text, task text, within text, OUT next_queue text,
  OUT next_task text)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  IF task IS NULL AND EXISTS (SELECT 1 FROM honker.counters AS c WHERE c.queue = queue AND c.task = '') THEN
    next_queue := queue;
    next_task := '';
    RETURN;
  END IF;
  SELECT c.queue, c.task INTO next_queue, next_task FROM honker.counters AS c
  WHERE (c.queue, c.task) > (queue, coalesce(task, '')) AND (within IS NULL OR c.queue = within)
  ORDER BY c.queue, c.task LIMIT 1;
END $$;

-- Ends with the queue and task that reach 20,000 rows, or after 5,000 of them: those that were not used lately are
-- passed one by one.
CREATE OR REPLACE FUNCTION honker.honker_counter_minutes(queue text, minutes bigint)
RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  first bigint;
  found_rows text;
  is_complete boolean;
BEGIN
  IF queue IS NOT NULL THEN
    PERFORM honker._name(queue, 'queue');
  END IF;
  first := floor(honker._now() / 60000.0)::bigint - honker._integer(minutes, 'minutes', 1, 240) + 1;
  WITH RECURSIVE pairs AS (
    -- The smallest task is the empty one, which comes after nothing: it is looked for by itself.
    SELECT coalesce(queue, '') AS queue, '' AS task, 0 AS place
    UNION ALL
    SELECT n.next_queue, n.next_task, p.place + 1
    FROM pairs AS p CROSS JOIN LATERAL honker._next_counted(p.queue, p.task, queue) AS n
    WHERE p.place <= 5000 AND n.next_queue IS NOT NULL
  ), counted AS (
    SELECT p.place, p.queue, p.task, m.minute, m.sums
    FROM pairs AS p CROSS JOIN LATERAL (
      SELECT c.minute, ROW(
        p.queue, p.task, c.minute, 0, sum(c.enqueued), sum(c.claimed), sum(c.done), sum(c.failed), sum(c.retried),
        sum(c.dead),
        sum(c.cancelled), sum(c.snoozed), sum(c.released), sum(c.lapsed), sum(c.runs), sum(c.run_s), max(c.run_max_s),
        sum(c.wait_s), max(c.wait_max_s))::honker.counters AS sums
      FROM honker.counters AS c
      WHERE c.queue = p.queue AND c.task = p.task AND c.minute >= first AND c.minute >= 0
      GROUP BY c.minute
    ) AS m
    WHERE p.place <= 5000
  ), numbered AS (
    SELECT c.*, count(*) OVER (ORDER BY c.place) - count(*) OVER (PARTITION BY c.place) AS before FROM counted AS c
  )
  SELECT coalesce(json_agg(honker._counted(n.sums) ORDER BY n.place, n.minute) FILTER (WHERE n.before < 20000),
                  '[]')::text,
         coalesce(bool_and(n.before < 20000), true) AND (SELECT max(p.place) <= 5000 FROM pairs AS p)
  INTO found_rows, is_complete
  FROM numbered AS n;
  RETURN format('{"counters":%s,"is_complete":%s}', found_rows, is_complete::text);
END $$;

-- The sums since counters were first turned on, by queue and task. The maxima are of the last minute that was counted
-- in.
CREATE OR REPLACE FUNCTION honker.honker_counter_totals(after_queue text, after_task text, n bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  IF after_queue IS NOT NULL THEN
    PERFORM honker._name(after_queue, 'after_queue');
  END IF;
  IF after_task IS NOT NULL THEN
    PERFORM honker._text(after_task, 'after_task');
  END IF;
  PERFORM honker._integer(n, 'n', 0, 10000);
  RETURN (
    WITH RECURSIVE pairs AS (
      SELECT coalesce(after_queue, '') AS queue, after_task AS task, 0 AS place
      UNION ALL
      SELECT c.next_queue, c.next_task, p.place + 1
      FROM pairs AS p CROSS JOIN LATERAL honker._next_counted(p.queue, p.task, NULL) AS c
      WHERE p.place < n AND c.next_queue IS NOT NULL
    )
    SELECT coalesce(json_agg(honker._counted(t.sums) ORDER BY p.place), '[]')::text
    FROM pairs AS p CROSS JOIN LATERAL (
      SELECT ROW(
        p.queue, p.task, last.minute, 0, sum(c.enqueued), sum(c.claimed), sum(c.done), sum(c.failed), sum(c.retried),
        sum(c.dead),
        sum(c.cancelled), sum(c.snoozed), sum(c.released), sum(c.lapsed), sum(c.runs), sum(c.run_s),
        max(c.run_max_s) FILTER (WHERE c.minute = last.minute), sum(c.wait_s),
        max(c.wait_max_s) FILTER (WHERE c.minute = last.minute)
      )::honker.counters AS sums
      FROM honker.counters AS c,
           (SELECT max(m.minute) AS minute FROM honker.counters AS m
             WHERE m.queue = p.queue AND m.task = p.task) AS last
      WHERE c.queue = p.queue AND c.task = p.task
      GROUP BY last.minute
    ) AS t
    WHERE p.place > 0
  );
END $$;
