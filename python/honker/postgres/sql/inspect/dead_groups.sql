-- The newest dead letters in groups of one queue, task and kind of error: those of a queue that died last, or those of
-- all queues with the greatest ids.

CREATE OR REPLACE FUNCTION honker.honker_dead_groups(queue text, since_s double precision, n bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_variable
DECLARE
  since bigint := honker._now() - CASE WHEN since_s IS NOT NULL THEN honker._span_from_zero(since_s, 'since_s') END;
  until timestamptz := honker._inspect_until();
  looked_at bigint;
  is_bounded boolean;
  groups json;
BEGIN
  PERFORM honker._queue_or_any(queue);
  PERFORM honker._page_size(n);
  WITH looked AS MATERIALIZED (
    SELECT r.id, r.queue, r.died_at, r.place, r.is_in_time,
           CASE WHEN r.is_in_time THEN honker._task_of(left(r.payload, 1000)) END AS task,
           CASE WHEN r.is_in_time THEN honker._kind_of(left(r.last_error, 500), right(r.last_error, 500)) END AS error,
           CASE WHEN r.is_in_time THEN honker._first_line(left(r.last_error, 500)) END AS example
    FROM (
      SELECT d.*, row_number() OVER () AS place,
        row_number() OVER () <= honker._inspect_rows_min() OR clock_timestamp() <= until AS is_in_time
      FROM (
        (SELECT d.* FROM honker.dead AS d WHERE d.queue = queue AND (since IS NULL OR d.died_at >= since)
         ORDER BY d.died_at DESC, d.id DESC LIMIT honker._inspect_letters() + 1)
        UNION ALL
        (SELECT d.* FROM honker.dead AS d WHERE queue IS NULL ORDER BY d.id DESC LIMIT honker._inspect_letters() + 1)
      ) AS d
    ) AS r
  ), groups AS (
    SELECT l.queue, l.task, l.error, count(*) AS count, min(l.place) AS first
    FROM looked AS l
    WHERE l.is_in_time AND l.place <= honker._inspect_letters() AND (since IS NULL OR l.died_at >= since)
    GROUP BY l.queue, l.task, l.error
  )
  SELECT (SELECT count(*) FROM looked AS l WHERE l.is_in_time AND l.place <= honker._inspect_letters()),
         (SELECT coalesce(bool_or(NOT l.is_in_time OR l.place > honker._inspect_letters()), false) FROM looked AS l),
         (SELECT json_agg(json_build_object(
            'queue', g.queue, 'task', g.task, 'error', g.error, 'count', g.count, 'newest_id', l.id,
            'newest_at', honker._seconds(l.died_at), 'example', l.example) ORDER BY g.count DESC, l.id DESC)
          FROM (SELECT g.* FROM groups AS g JOIN looked AS f ON f.place = g.first
                ORDER BY g.count DESC, f.id DESC LIMIT n) AS g
          JOIN looked AS l ON l.place = g.first)
  INTO looked_at, is_bounded, groups;
  RETURN json_build_object('groups', coalesce(groups, '[]'), 'is_bounded', is_bounded, 'looked_at', looked_at)::text;
END $$;

-- The class of the exception at the end of a traceback, or the beginning of the error up to a colon or a number, which
-- would tell apart what belongs together.
CREATE OR REPLACE FUNCTION honker._kind_of(beginning text, tail text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  line text := honker._first_line(coalesce(beginning, ''));
  lines text[];
  class text;
  place integer;
BEGIN
  IF strpos(beginning, 'Traceback (') > 0 THEN
    -- The frames are indented, and the exception follows the last of them.
    lines := string_to_array(tail, E'\n');
    place := cardinality(lines);
    WHILE place > 0 AND left(lines[place], 2) <> '  ' LOOP
      place := place - 1;
    END LOOP;
    class := honker._class_of(coalesce(lines[place + 1], ''));
    IF class <> '' THEN
      RETURN class;
    END IF;
  END IF;
  class := honker._class_of(line);
  IF class <> '' AND class <> line THEN
    RETURN class;
  END IF;
  RETURN left(rtrim(substring(line FROM '^[^:0-9]*')), 100);
END $$;

-- The dotted name with which a line begins, if a colon or nothing follows it.
CREATE OR REPLACE FUNCTION honker._class_of(line text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(substring(line FROM E'^([[:alpha:]_][[:alnum:]_]*(?:\\.[[:alpha:]_][[:alnum:]_]*)*)(?::|$)'), '')
$$;
