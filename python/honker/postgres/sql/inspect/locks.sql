-- Locks that are held, by name. Lapsed ones are passed over, up to the bound of a call.
CREATE OR REPLACE FUNCTION honker.honker_lock_list(after text, n bigint) RETURNS text
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  until timestamptz := honker._inspect_until();
  locks json[];
  names text[];
  stopped_at text;
BEGIN
  PERFORM honker._name(coalesce(after, 'none'), 'after');
  PERFORM honker._page_size(n);
  SELECT array_agg(s.lock ORDER BY s.place) FILTER (WHERE NOT s.is_over), array_agg(s.name ORDER BY s.place),
         min(s.before) FILTER (WHERE s.is_over)
  INTO locks, names, stopped_at
  FROM (
    SELECT w.name, w.before, w.place, w.is_over, json_build_object(
      'name', w.name, 'owner', w.owner, 'expires_at', honker._seconds(w.expires_at),
      'taken_at', honker._seconds(w.taken_at), 'token', w.token) AS lock
    FROM (
      SELECT l.*, row_number() OVER by_name AS place, lag(l.name) OVER by_name AS before,
        row_number() OVER by_name > honker._inspect_rows()
          OR (row_number() OVER by_name > honker._inspect_rows_min() AND clock_timestamp() > until) AS is_over
      FROM honker.locks AS l
      WHERE l.name > coalesce(after, '')
      WINDOW by_name AS (ORDER BY l.name)
    ) AS w
    WHERE w.is_over OR honker._is_held(ROW(w.name, w.owner, w.taken_at, w.expires_at, w.token)::honker.locks, now)
    LIMIT n + 1
  ) AS s;
  RETURN json_build_object(
    'locks', coalesce(array_to_json(locks[:n]), '[]'),
    'next', CASE
      WHEN cardinality(locks) > n THEN CASE WHEN n = 0 THEN after ELSE names[n] END
      ELSE stopped_at END)::text;
END $$;
