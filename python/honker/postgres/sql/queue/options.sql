-- Options of a job in a JSON object.

CREATE OR REPLACE FUNCTION honker._job_options() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
  SELECT ARRAY['run_at', 'delay', 'priority', 'max_attempts', 'expires']
$$;

CREATE OR REPLACE FUNCTION honker._flow_options() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
  SELECT ARRAY['key', 'unique_key', 'on_conflict', 'unique_until', 'unique_for_s', 'debounce_s', 'debounce_max_s', 'after',
               'on_parent_failure']
$$;

-- A number as SQL would take it; NULL if it is not given.
CREATE OR REPLACE FUNCTION honker._number_option(given json, option text) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  CASE coalesce(json_typeof(given -> option), 'null')
    WHEN 'null' THEN RETURN NULL;
    WHEN 'number' THEN RETURN (given ->> option)::double precision;
    WHEN 'string' THEN PERFORM honker._invalid(option, 'must be INTEGER or REAL seconds, and is TEXT');
    ELSE PERFORM honker._invalid(option, 'must be a JSON number, string or null');
  END CASE;
END $$;

-- An integer, also in the form of a whole number with a decimal point.
CREATE OR REPLACE FUNCTION honker._integer_option(given json, option text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  number numeric;
BEGIN
  CASE coalesce(json_typeof(given -> option), 'null')
    WHEN 'null' THEN RETURN NULL;
    WHEN 'number' THEN number := (given ->> option)::numeric;
    ELSE PERFORM honker._invalid(option, format('must be INTEGER, and is %s', given -> option));
  END CASE;
  IF number <> trunc(number) OR abs(number) > 9223372036854775807 THEN
    PERFORM honker._invalid(option, format('is %s, and no integer of 64 bits', number));
  END IF;
  RETURN number::bigint;
END $$;

-- A name; NULL if it is not given.
CREATE OR REPLACE FUNCTION honker._name_option(given json, option text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  name text := given ->> option;
BEGIN
  IF name IS NULL THEN
    RETURN NULL;
  ELSIF json_typeof(given -> option) <> 'string' THEN
    PERFORM honker._invalid(option, format('is %s; it must be a text', given -> option));
  ELSIF octet_length(name) NOT BETWEEN 1 AND 255 THEN
    PERFORM honker._invalid(option, format('has %s bytes; 1 to 255 are allowed, without NUL', octet_length(name)));
  END IF;
  RETURN name;
END $$;

-- One of a closed list; NULL if it is not given.
CREATE OR REPLACE FUNCTION honker._choice_option(given json, option text, choices text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF given ->> option IS NULL THEN
    RETURN NULL;
  ELSIF json_typeof(given -> option) <> 'string' OR given ->> option <> ALL (choices) THEN
    PERFORM honker._invalid(option, format('is %s; it must be one of "%s"', given -> option, array_to_string(choices, '", "')));
  END IF;
  RETURN given ->> option;
END $$;

-- A positive span in seconds, as milliseconds; NULL if it is not given.
CREATE OR REPLACE FUNCTION honker._span_option(given json, option text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  seconds double precision;
BEGIN
  IF given ->> option IS NULL THEN
    RETURN NULL;
  ELSIF json_typeof(given -> option) = 'number' THEN
    seconds := (given ->> option)::double precision;
  END IF;
  IF seconds IS NULL OR NOT (seconds > 0 AND seconds <= 3155760000) THEN
    PERFORM honker._invalid(option, format('is %s; more than 0 and up to 3155760000 seconds are allowed', given -> option));
  END IF;
  RETURN greatest(honker._milliseconds(seconds), 1);
END $$;
