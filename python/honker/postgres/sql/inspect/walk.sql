-- The walk over the jobs that match a filter, by id, the greatest first.
--
-- Live jobs, dead letters and finished jobs are three tables; one statement merges them by their indexes of ids, and
-- tests one row after the other. It ends at one match more than a page has, or at the first row beyond the bound.

-- Up to `n` ids of matches in these tables below `after`, and the id below which the walk goes on: NULL if it has seen
-- all. `is_complete` is false if the bound has ended the walk before `n` matches.
--
-- The plan has the values of the parameters, so a table or a condition that is not asked for costs nothing, and the
-- range of a queue is read from its index. Statistics of tables that change this fast are no guide to a plan: scans and
-- sorts of whole tables are off.
CREATE OR REPLACE FUNCTION honker._walk(
  filter honker.job_filter, tables text[], after bigint, n bigint, now bigint,
  OUT ids bigint[], OUT next bigint, OUT is_complete boolean
) LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
SET jit = off AS $$
#variable_conflict use_variable
DECLARE
  until timestamptz := honker._inspect_until();
  highest bigint := coalesce(after - (after > -9223372036854775808)::integer, 9223372036854775807);
  lowest bigint := -9223372036854775808;
  live_ids bigint[];
  stopped_at bigint;
BEGIN
  IF 'live' = ANY (tables) THEN
    live_ids := honker._candidates_of(filter, highest, n, now);
  END IF;
  IF filter.since IS NOT NULL AND filter.ids IS NULL THEN
    lowest := honker._first_id_since(filter.since - 3600000, tables);
  END IF;
  SELECT coalesce(array_agg(s.id ORDER BY s.id DESC) FILTER (WHERE NOT s.is_over), '{}'),
         max(s.id) FILTER (WHERE s.is_over)
  INTO ids, stopped_at
  FROM (
    SELECT t.id, t.is_over
    FROM (
      SELECT w.*, w.place > honker._inspect_rows()
        OR (w.place > honker._inspect_rows_min() AND clock_timestamp() > until) AS is_over
      FROM (
        SELECT m.*, row_number() OVER () AS place
        FROM (
          SELECT j.* FROM (
            (SELECT l.id, l.queue, honker._shown(l.state, l.run_at, now) AS state, l.key, l.created_at, l.last_error,
                    l.payload, true AS is_kept
             FROM honker.live AS l
             WHERE 'live' = ANY (tables) AND l.id BETWEEN lowest AND highest
               AND (live_ids IS NULL OR l.id = ANY (live_ids))
             ORDER BY l.id DESC LIMIT honker._inspect_rows() + 1)
            UNION ALL
            (SELECT d.id, d.queue, 'dead'::text, d.key, d.created_at, d.last_error, d.payload, true
             FROM honker.dead AS d
             WHERE 'dead' = ANY (tables) AND d.id BETWEEN lowest AND highest
               AND (filter.ids IS NULL OR d.id = ANY (filter.ids)) AND (filter.queue IS NULL OR d.queue = filter.queue)
             ORDER BY d.id DESC LIMIT honker._inspect_rows() + 1)
            UNION ALL
            (SELECT f.id, f.queue, f.state, f.key, f.created_at, f.last_error, f.payload, f.expires_at > now
             FROM honker.finished AS f
             WHERE 'finished' = ANY (tables) AND f.id BETWEEN lowest AND highest
               AND (filter.ids IS NULL OR f.id = ANY (filter.ids)) AND (filter.queue IS NULL OR f.queue = filter.queue)
             ORDER BY f.id DESC LIMIT honker._inspect_rows() + 1)
          ) AS j
          ORDER BY j.id DESC
        ) AS m
      ) AS w
    ) AS t
    WHERE t.is_over OR (
      t.is_kept
      AND (filter.queue IS NULL OR t.queue = filter.queue)
      AND (filter.state IS NULL OR t.state = filter.state)
      AND (filter.key IS NULL OR t.key = filter.key)
      AND (filter.since IS NULL OR t.created_at >= filter.since)
      AND (filter.error IS NULL OR strpos(t.last_error, filter.error) > 0)
      AND (filter.part IS NULL OR strpos(t.payload, filter.part) > 0)
      AND (filter.task IS NULL OR (left(t.payload, 64) LIKE E'{%"\\_\\_honker\\_%task\\_\\_"%'
        AND honker._task_of(t.payload) = filter.task))
      AND (filter.paths IS NULL OR honker._has_arguments(t.payload, filter.paths, filter.path_values)))
    LIMIT n + 1
  ) AS s;
  is_complete := cardinality(ids) >= n OR stopped_at IS NULL;
  IF cardinality(ids) > n OR (cardinality(ids) = n AND stopped_at IS NOT NULL) THEN
    next := CASE WHEN n = 0 THEN after ELSE ids[n] END;
  ELSE
    next := stopped_at + 1;
  END IF;
  ids := ids[:n];
END $$;

-- The tables that hold jobs of a filter.
CREATE OR REPLACE FUNCTION honker._tables_of(filter honker.job_filter) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN (filter).state IS NULL THEN ARRAY['live', 'dead', 'finished']
    WHEN (filter).state = 'dead' THEN ARRAY['dead']
    WHEN (filter).state IN ('done', 'cancelled') THEN ARRAY['finished']
    ELSE ARRAY['live']
  END
$$;

-- The first id of these tables from which on jobs are not older than `oldest`, by a binary search. Ids and times of
-- creation rise together, but for clocks that differ: `oldest` leaves a margin for these.
CREATE OR REPLACE FUNCTION honker._first_id_since(oldest bigint, tables text[]) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
  kind text;
  low bigint;
  high bigint;
  found record;
  first bigint := 9223372036854775807;
BEGIN
  FOREACH kind IN ARRAY tables LOOP
    EXECUTE format('SELECT min(t.id), max(t.id) FROM honker.%I AS t', kind) INTO low, high;
    WHILE low <= high LOOP
      EXECUTE format('SELECT t.id, t.created_at FROM honker.%I AS t WHERE t.id >= $1 ORDER BY t.id LIMIT 1', kind)
      INTO found USING low + (high - low) / 2;
      IF found.created_at < oldest THEN
        low := found.id + 1;
      ELSE
        high := low + (high - low) / 2 - 1;
      END IF;
    END LOOP;
    first := least(first, low);
  END LOOP;
  RETURN first;
END $$;
