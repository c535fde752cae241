-- Retention policies: how many dead letters of a queue, or events of a topic, are kept, and for how long. Writers keep
-- to them: see dead/retention.sql and stream/retain.sql.

CREATE OR REPLACE FUNCTION honker.honker_retention_set(
  kind text, name text, max_age_s double precision, max_keep bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  max_age bigint := CASE WHEN max_age_s IS NOT NULL THEN honker._span_from_zero(max_age_s, 'max_age_s') END;
BEGIN
  IF kind IS NULL OR kind NOT IN ('dead', 'stream') THEN
    PERFORM honker._invalid('kind', format('is %L; dead and stream are allowed', kind));
  END IF;
  PERFORM honker._name(name, 'name');
  IF max_keep IS NOT NULL THEN
    PERFORM honker._integer(max_keep, 'max_keep', 0, 10000000);
  END IF;
  IF max_age IS NULL AND max_keep IS NULL THEN
    DELETE FROM honker.retention AS r WHERE r.kind = kind AND r.name = name;
  ELSE
    INSERT INTO honker.retention AS r (kind, name, max_age, max_keep) VALUES (kind, name, max_age, max_keep)
    ON CONFLICT ON CONSTRAINT retention_key DO UPDATE
    SET max_age = excluded.max_age, max_keep = excluded.max_keep, surplus_to = NULL, judged_at = NULL;
  END IF;
  RETURN CASE WHEN FOUND THEN 1 ELSE 0 END;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_retention_list() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT coalesce(json_agg(json_build_object(
    'kind', r.kind, 'name', r.name, 'max_age_s', honker._seconds(r.max_age), 'max_keep', r.max_keep
  ) ORDER BY r.kind COLLATE "C", r.name COLLATE "C"), '[]')::text
  FROM honker.retention AS r
$$;
