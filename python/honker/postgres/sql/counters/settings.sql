-- The settings of the record of moves: counters by minute, and events of a stream. Both are off unless they are turned
-- on here. They are rows of honker.meta, so that every session obeys them from its next statement on.

CREATE OR REPLACE FUNCTION honker._recording(OUT counters boolean, OUT events boolean) LANGUAGE sql STABLE AS $$
  SELECT coalesce(bool_or(m.key = 'counters' AND m.value <> 0), false),
    coalesce(bool_or(m.key = 'events' AND m.value <> 0), false)
  FROM honker.meta AS m WHERE m.key IN ('counters', 'events')
$$;

CREATE OR REPLACE FUNCTION honker.honker_file_settings() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT json_build_object('counters', r.counters, 'events', r.events)::text FROM honker._recording() AS r
$$;

-- Events get a policy of retention unless their topic has one.
CREATE OR REPLACE FUNCTION honker.honker_file_configure(settings_json text) RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  given json := honker._json(settings_json, 'settings_json', 'object');
  setting record;
BEGIN
  PERFORM honker._require_known(given, 'settings_json', ARRAY['counters', 'events']);
  FOR setting IN SELECT e.key, e.value, json_typeof(e.value) AS kind FROM json_each(given) AS e(key, value)
    ORDER BY e.key LOOP
    CONTINUE WHEN setting.kind = 'null';
    IF setting.kind <> 'boolean' THEN
      PERFORM honker._invalid('settings_json', format('has a %s that is a JSON %s; true or false are allowed',
        setting.key, setting.kind));
    END IF;
    INSERT INTO honker.meta (key, value) VALUES (setting.key, (setting.value::text = 'true')::integer)
    ON CONFLICT ON CONSTRAINT meta_pkey DO UPDATE SET value = excluded.value;
  END LOOP;
  IF (given ->> 'events')::boolean THEN
    INSERT INTO honker.retention (kind, name, max_keep) VALUES ('stream', 'honker.events', 10000)
    ON CONFLICT ON CONSTRAINT retention_key DO NOTHING;
  END IF;
  RETURN honker.honker_file_settings();
END $$;
