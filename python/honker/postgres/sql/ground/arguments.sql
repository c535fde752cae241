-- Checks of arguments. Each returns the value, in the unit of the tables, or ends the call with HONKER_INVALID_ARGUMENT. A NULL is
-- refused; the `_optional` forms are `CASE WHEN x IS NOT NULL THEN ... END` at the caller.

CREATE OR REPLACE FUNCTION honker._text(value text, argument text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF value IS NULL THEN
    PERFORM honker._invalid(argument, 'must be TEXT, and is NULL');
  ELSIF octet_length(value) > 104857600 THEN
    PERFORM honker._invalid(argument, format('is %s bytes long; at most 104857600 are allowed', octet_length(value)));
  END IF;
  RETURN value;
END $$;

CREATE OR REPLACE FUNCTION honker._name(value text, argument text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF value IS NULL THEN
    PERFORM honker._invalid(argument, 'must be TEXT, and is NULL');
  ELSIF value = '' THEN
    PERFORM honker._invalid(argument, 'is empty; a name has 1 to 255 bytes of UTF-8');
  ELSIF octet_length(value) > 255 THEN
    PERFORM honker._invalid(argument, format('is %s bytes long; a name has 1 to 255', octet_length(value)));
  END IF;
  RETURN value;
END $$;

CREATE OR REPLACE FUNCTION honker._integer(value bigint, argument text, lowest bigint, highest bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF value IS NULL THEN
    PERFORM honker._invalid(argument, 'must be INTEGER, and is NULL');
  ELSIF value NOT BETWEEN lowest AND highest THEN
    PERFORM honker._invalid(argument, format('is %s; %s to %s are allowed', value, lowest, highest));
  END IF;
  RETURN value;
END $$;

-- Seconds to milliseconds, rounded up: nothing is early.
CREATE OR REPLACE FUNCTION honker._milliseconds(seconds double precision) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT ceil(round((seconds * 1000)::numeric, 4))::bigint
$$;

CREATE OR REPLACE FUNCTION honker._seconds_in(value double precision, argument text, lowest bigint, highest bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF value IS NULL THEN
    PERFORM honker._invalid(argument, 'must be INTEGER or REAL seconds, and is NULL');
  -- NaN is greater than any number here.
  ELSIF NOT (value >= lowest AND value <= highest) THEN
    PERFORM honker._invalid(argument, format('is %s seconds; %s to %s are allowed', value::numeric, lowest, highest));
  END IF;
  RETURN honker._milliseconds(value);
END $$;

-- Unix seconds within the years 1 to 9999.
CREATE OR REPLACE FUNCTION honker._instant(value double precision, argument text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT honker._seconds_in(value, argument, -62135596800, 253402300799)
$$;

-- Seconds, negative or not, up to 100 years.
CREATE OR REPLACE FUNCTION honker._span(value double precision, argument text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT honker._seconds_in(value, argument, -3155760000, 3155760000)
$$;

CREATE OR REPLACE FUNCTION honker._span_from_zero(value double precision, argument text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT honker._seconds_in(value, argument, 0, 3155760000)
$$;

CREATE OR REPLACE FUNCTION honker._positive_span(value double precision, argument text, highest bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF value <= 0 THEN
    PERFORM honker._invalid(argument, format('must be positive, up to %s seconds', highest));
  END IF;
  RETURN honker._seconds_in(value, argument, 0, highest);
END $$;

-- The length of a lease: at most a year.
CREATE OR REPLACE FUNCTION honker._lease(value double precision, argument text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT honker._positive_span(value, argument, 31536000)
$$;

CREATE OR REPLACE FUNCTION honker._positive_number(value double precision, argument text, highest double precision)
RETURNS double precision LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF value IS NULL THEN
    PERFORM honker._invalid(argument, 'must be INTEGER or REAL, and is NULL');
  ELSIF NOT (value > 0 AND value <= highest) THEN
    PERFORM honker._invalid(argument, format('is %s; more than 0 and up to %s is allowed', value, highest));
  END IF;
  RETURN value;
END $$;

CREATE OR REPLACE FUNCTION honker._number_from_zero(value double precision, argument text, highest double precision)
RETURNS double precision LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF value IS NULL THEN
    PERFORM honker._invalid(argument, 'must be INTEGER or REAL, and is NULL');
  ELSIF NOT (value >= 0 AND value <= highest) THEN
    PERFORM honker._invalid(argument, format('is %s; 0 to %s is allowed', value, highest));
  END IF;
  RETURN value;
END $$;

-- A JSON text of one kind (`object` or `array`). The type json keeps the characters of its elements.
CREATE OR REPLACE FUNCTION honker._json(value text, argument text, kind text) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  parsed json;
BEGIN
  PERFORM honker._text(value, argument);
  BEGIN
    parsed := value::json;
  EXCEPTION WHEN invalid_text_representation OR untranslatable_character THEN
    PERFORM honker._invalid(argument, format('is not a JSON %s: %s', kind, SQLERRM));
  END;
  IF json_typeof(parsed) <> kind THEN
    PERFORM honker._invalid(argument, format('must be a JSON %s, and is a JSON %s', kind, json_typeof(parsed)));
  -- The escape of NUL, or of a backslash before u0000: a block with a handler costs more than this search.
  ELSIF kind = 'object' AND position(E'\\u0000' IN value) > 0 THEN
    BEGIN
      PERFORM FROM json_each_text(parsed);
    EXCEPTION WHEN untranslatable_character THEN
      PERFORM honker._invalid(argument, 'has a text with NUL, which PostgreSQL cannot store');
    END;
  END IF;
  RETURN parsed;
END $$;

-- Refuses an object that has a key beside these.
CREATE OR REPLACE FUNCTION honker._require_known(given json, argument text, known text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  unknown text;
BEGIN
  SELECT name INTO unknown FROM json_object_keys(given) AS name WHERE name <> ALL (known) LIMIT 1;
  IF FOUND THEN
    PERFORM honker._invalid(argument, format('has the unknown option "%s"; the options are %s', unknown, array_to_string(known, ', ')));
  END IF;
END $$;

-- Any integer.
CREATE OR REPLACE FUNCTION honker._given(value bigint, argument text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF value IS NULL THEN
    PERFORM honker._invalid(argument, 'must be INTEGER, and is NULL');
  END IF;
  RETURN value;
END $$;
