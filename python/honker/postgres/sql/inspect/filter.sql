-- The conditions under which a job is listed, checked.

CREATE OR REPLACE FUNCTION honker._filter(filter_json text) RETURNS honker.job_filter LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  given json;
  filter honker.job_filter;
  listed bigint[];
  arguments record;
BEGIN
  IF filter_json IS NULL THEN
    RETURN NULL;
  END IF;
  given := honker._json(filter_json, 'filter_json', 'object');
  PERFORM honker._require_known(
    given, 'filter_json', ARRAY['state', 'queue', 'task', 'key', 'error', 'ids', 'workflow', 'args', 'since']);
  filter.state := honker._choice_option(
    given, 'state', ARRAY['ready', 'delayed', 'running', 'blocked', 'waiting', 'dead', 'done', 'cancelled']);
  filter.queue := honker._name_option(given, 'queue');
  filter.task := honker._text_option(given, 'task');
  filter.key := honker._name_option(given, 'key');
  filter.error := honker._text_option(given, 'error');
  listed := honker._ids_option(given);
  filter.named := cardinality(listed);
  filter.ids := listed;
  IF given ->> 'workflow' IS NOT NULL THEN
    filter.ids := honker._members(honker._workflow_option(given));
    IF listed IS NOT NULL THEN
      filter.ids := ARRAY(SELECT m FROM unnest(filter.ids) AS m WHERE m = ANY (listed));
    END IF;
  END IF;
  CASE coalesce(json_typeof(given -> 'args'), 'null')
    WHEN 'null' THEN NULL;
    WHEN 'object' THEN
      arguments := honker._arguments_option(given -> 'args');
      filter.paths := arguments.paths;
      filter.path_values := arguments.path_values;
    WHEN 'string' THEN filter.part := given ->> 'args';
    -- Without the white space between its parts.
    ELSE filter.part := regexp_replace((given -> 'args')::text, E'("(?:[^"\\\\]|\\\\.)*")|\\s+', E'\\1', 'g');
  END CASE;
  filter.since := honker._since_option(given);
  RETURN filter;
END $$;

CREATE OR REPLACE FUNCTION honker._text_option(given json, option text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF given ->> option IS NOT NULL AND json_typeof(given -> option) <> 'string' THEN
    PERFORM honker._invalid(option, format('is %s; it must be a text', given -> option));
  END IF;
  RETURN given ->> option;
END $$;

-- The ids that are named, each once; NULL if none are.
CREATE OR REPLACE FUNCTION honker._ids_option(given json) RETURNS bigint[] LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF given ->> 'ids' IS NULL THEN
    RETURN NULL;
  ELSIF json_typeof(given -> 'ids') <> 'array' THEN
    PERFORM honker._invalid('ids', 'must be a JSON array of job ids');
  ELSIF json_array_length(given -> 'ids') > 1000 THEN
    PERFORM honker._invalid('ids', format('has %s ids; at most 1000 are allowed', json_array_length(given -> 'ids')));
  ELSIF EXISTS (SELECT 1 FROM json_array_elements(given -> 'ids') AS e (id) WHERE NOT honker._is_integer(e.id)) THEN
    PERFORM honker._invalid('ids', 'must be a JSON array of job ids');
  END IF;
  RETURN ARRAY(SELECT DISTINCT e.id::numeric::bigint FROM json_array_elements_text(given -> 'ids') AS e (id));
END $$;

CREATE OR REPLACE FUNCTION honker._workflow_option(given json) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF NOT honker._is_integer(given -> 'workflow') THEN
    PERFORM honker._invalid('workflow', format('is %s; it must be the id of a workflow', given -> 'workflow'));
  END IF;
  RETURN (given ->> 'workflow')::numeric::bigint;
END $$;

-- Values of arguments by path, `{"user.id": 5}`.
CREATE OR REPLACE FUNCTION honker._arguments_option(args json, OUT paths text[], OUT path_values jsonb[])
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  wrong text;
BEGIN
  BEGIN
    SELECT coalesce(array_agg(a.key), '{}'), array_agg(honker._comparable(a.value)),
           min(a.key) FILTER (WHERE a.key ~ E'["\\\\]')
    INTO paths, path_values, wrong FROM json_each(args) AS a;
  EXCEPTION WHEN untranslatable_character THEN
    PERFORM honker._invalid('args', 'has the character NUL');
  END;
  IF wrong IS NOT NULL THEN
    PERFORM honker._invalid('args', format('has the path %s; quotation marks are not allowed', to_json(wrong)));
  END IF;
END $$;

CREATE OR REPLACE FUNCTION honker._since_option(given json) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF given ->> 'since' IS NULL THEN
    RETURN NULL;
  ELSIF json_typeof(given -> 'since') <> 'number'
      OR (given ->> 'since')::numeric NOT BETWEEN -62135596800 AND 253402300799 THEN
    PERFORM honker._invalid('since', format(
      'is %s; -62135596800 to 253402300799 Unix seconds are allowed', given -> 'since'));
  END IF;
  RETURN honker._milliseconds((given ->> 'since')::double precision);
END $$;

-- True if the arguments of a payload have these values: an argument by keyword, or by position as in {"0": 5}, of a
-- task's call; a member of any other payload. A payload that is no JSON has none. It runs for each row that a walk looks
-- at, so it has no statement of its own: expressions alone are cheap.
CREATE OR REPLACE FUNCTION honker._has_arguments(payload text, paths text[], path_values jsonb[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  document json;
  call json;
  found json;
  steps text[];
  step text;
  place integer;
BEGIN
  document := payload::json;
  IF json_typeof(document) = 'object' THEN
    call := document -> '__honker_task__';
  END IF;
  FOR place IN 1..cardinality(paths) LOOP
    steps := CASE WHEN paths[place] = '' THEN ARRAY[''] ELSE string_to_array(paths[place], '.') END;
    found := document;
    IF call IS NOT NULL THEN
      found := call -> CASE WHEN honker._is_position(steps[1]) THEN 'args' ELSE 'kwargs' END;
    END IF;
    FOREACH step IN ARRAY steps LOOP
      found := CASE json_typeof(found)
        WHEN 'array' THEN CASE WHEN honker._is_position(step) THEN found -> step::integer END
        WHEN 'object' THEN CASE WHEN NOT honker._is_position(step) THEN found -> step END
      END;
      EXIT WHEN found IS NULL;
    END LOOP;
    IF honker._comparable(found) IS DISTINCT FROM path_values[place] THEN
      RETURN false;
    END IF;
  END LOOP;
  RETURN true;
EXCEPTION WHEN data_exception OR statement_too_complex THEN
  RETURN false;
END $$;

CREATE OR REPLACE FUNCTION honker._is_position(step text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT step ~ '^[0-9]{1,8}$'
$$;

-- As SQLite compares: null is nothing, true is 1, and 5.0 is 5.
CREATE OR REPLACE FUNCTION honker._comparable(value json) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE json_typeof(value)
    WHEN 'null' THEN NULL
    WHEN 'boolean' THEN CASE value::text WHEN 'true' THEN '1'::jsonb ELSE '0'::jsonb END
    ELSE value::jsonb
  END
$$;
