-- Numbers in JSON as the engine on SQLite writes them.

-- With a decimal point, also if it is whole.
CREATE OR REPLACE FUNCTION honker._real(number double precision) RETURNS json LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN number = trunc(number) AND abs(number) < 1e15 THEN number::bigint::text || '.0'
    ELSE number::text
  END::json
$$;

-- As an integer if it is whole.
CREATE OR REPLACE FUNCTION honker._number(number double precision) RETURNS json LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN number = trunc(number) AND abs(number) <= 1e15 THEN number::bigint::text ELSE number::text END::json
$$;
