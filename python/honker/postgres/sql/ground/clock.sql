-- The time in Unix milliseconds. A function reads it once. Tests set `honker.clock_ms` in their sessions.
CREATE OR REPLACE FUNCTION honker._now() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT coalesce(
    nullif(current_setting('honker.clock_ms', true), '')::bigint,
    floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
  )
$$;

-- Milliseconds as seconds, for results: an integer if they are whole.
CREATE OR REPLACE FUNCTION honker._seconds(milliseconds bigint) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
  SELECT trim_scale(milliseconds::numeric / 1000)
$$;

CREATE OR REPLACE FUNCTION honker.honker_clock() RETURNS double precision LANGUAGE sql VOLATILE AS $$
  SELECT honker._now() / 1000.0::double precision
$$;
