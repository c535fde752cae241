-- The report of a worker as JSON: its fields, checked.

CREATE OR REPLACE FUNCTION honker._given_report(report_json text) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  given json := honker._json(report_json, 'report_json', 'object');
  field text;
  job json;
BEGIN
  PERFORM honker._require_known(given, 'report_json', ARRAY['name', 'started_at', 'host', 'pid', 'pid_space',
    'version', 'is_stopping',
    'slots', 'busy', 'queues', 'worker_ids', 'running']);
  FOREACH field IN ARRAY ARRAY['name', 'host', 'version'] LOOP
    PERFORM honker._report_name(given -> field, field);
  END LOOP;
  IF json_typeof(given -> 'pid_space') <> 'null' THEN
    PERFORM honker._report_name(given -> 'pid_space', 'pid_space');
  END IF;
  IF json_typeof(given -> 'is_stopping') NOT IN ('boolean', 'null') THEN
    PERFORM honker._invalid('report_json', 'has an is_stopping that is neither true nor false');
  END IF;
  PERFORM honker._report_instant(given -> 'started_at', 'started_at');
  PERFORM honker._report_integer(given -> 'pid', 'pid', -9223372036854775808);
  PERFORM honker._report_integer(given -> 'slots', 'slots', 0);
  PERFORM honker._report_integer(given -> 'busy', 'busy', 0);
  FOREACH field IN ARRAY ARRAY['queues', 'worker_ids', 'running'] LOOP
    IF json_typeof(given -> field) IS DISTINCT FROM 'array' THEN
      PERFORM honker._invalid('report_json', format('must have an array of %s', field));
    END IF;
  END LOOP;
  PERFORM honker._report_name(e.value, 'queues') FROM json_array_elements(given -> 'queues') AS e;
  PERFORM honker._report_name(e.value, 'worker_ids') FROM json_array_elements(given -> 'worker_ids') AS e;
  FOR job IN SELECT e.value FROM json_array_elements(given -> 'running') AS e LOOP
    PERFORM honker._check_running(job);
  END LOOP;
  RETURN given;
END $$;

CREATE OR REPLACE FUNCTION honker._check_running(job json) RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF json_typeof(job) <> 'object' THEN
    PERFORM honker._invalid('report_json', format('has a running job that is a JSON %s', json_typeof(job)));
  END IF;
  PERFORM honker._require_known(job, 'report_json', ARRAY['id', 'queue', 'task', 'since']);
  PERFORM honker._report_integer(job -> 'id', 'id', -9223372036854775808);
  PERFORM honker._report_name(job -> 'queue', 'queue');
  PERFORM honker._report_instant(job -> 'since', 'since');
  IF json_typeof(job -> 'task') NOT IN ('string', 'null') OR octet_length(job ->> 'task') > 1000 THEN
    PERFORM honker._invalid('report_json', 'has a task that is no text of up to 1000 bytes');
  END IF;
END $$;

CREATE OR REPLACE FUNCTION honker._report_name(value json, field text) RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF json_typeof(value) IS DISTINCT FROM 'string' OR octet_length(value #>> '{}') NOT BETWEEN 1 AND 255 THEN
    PERFORM honker._invalid('report_json', format('must have a %s of 1 to 255 bytes without NUL', field));
  END IF;
EXCEPTION WHEN untranslatable_character THEN
  PERFORM honker._invalid('report_json', format('must have a %s of 1 to 255 bytes without NUL', field));
END $$;

CREATE OR REPLACE FUNCTION honker._report_integer(value json, field text, lowest numeric)
RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  number numeric := CASE WHEN json_typeof(value) = 'number' THEN (value #>> '{}')::numeric END;
BEGIN
  IF number IS NULL OR number <> trunc(number) OR number NOT BETWEEN lowest AND 9223372036854775807 THEN
    PERFORM honker._invalid('report_json', format('must have an integer %s from %s on', field, lowest));
  END IF;
END $$;

CREATE OR REPLACE FUNCTION honker._report_instant(value json, field text) RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  number numeric := CASE WHEN json_typeof(value) = 'number' THEN (value #>> '{}')::numeric END;
BEGIN
  IF number IS NULL OR number NOT BETWEEN -62135596800 AND 253402300799 THEN
    PERFORM honker._invalid('report_json', format('must have a %s in Unix seconds of the years 1 to 9999', field));
  END IF;
END $$;
