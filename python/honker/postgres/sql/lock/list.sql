-- A page of the locks that are held. Reads only.
CREATE OR REPLACE FUNCTION honker.honker_lock_list(after text, n bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
BEGIN
  IF after IS NOT NULL THEN
    PERFORM honker._name(after, 'after');
  END IF;
  PERFORM honker._integer(n, 'n', 0, 500);
  RETURN (
    WITH page AS (
      SELECT l.* FROM honker.locks AS l
      WHERE l.name COLLATE "C" > coalesce(after, '') AND honker._is_held(l, now)
      ORDER BY l.name COLLATE "C" LIMIT n + 1
    ), shown AS (SELECT p.* FROM page AS p ORDER BY p.name COLLATE "C" LIMIT n)
    SELECT json_build_object(
      'locks', coalesce(json_agg(json_build_object(
        'name', s.name, 'owner', s.owner, 'expires_at', honker._seconds(s.expires_at),
        'taken_at', honker._seconds(s.taken_at), 'token', s.token
      ) ORDER BY s.name COLLATE "C"), '[]'),
      'next', CASE WHEN (SELECT count(*) FROM page AS p) > n THEN coalesce(max(s.name COLLATE "C"), after, '') END)::text
    FROM shown AS s);
END $$;
