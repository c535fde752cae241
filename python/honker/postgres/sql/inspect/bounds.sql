-- Bounds of a call that looks at many rows, and the forms of texts in lists.
--
-- A list on a database of a million jobs returns as soon as on an empty one, perhaps with fewer rows and a place to go
-- on. Pages go by key; no list skips rows by number. The lists are STABLE: all their reads see the snapshot of the
-- calling statement, so a job that moves from one table to another during a call is seen exactly once.
--
-- The time is that of the machine, and not of honker._now(), which tests stop.

-- Rows that a call looks at.
CREATE OR REPLACE FUNCTION honker._inspect_rows() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 50000::bigint $$;

-- Dead letters that a call groups. The time ends a call before it has read the errors of so many.
CREATE OR REPLACE FUNCTION honker._inspect_letters() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 5000::bigint $$;

-- Rows that a call looks at however long they take: it always gets ahead.
CREATE OR REPLACE FUNCTION honker._inspect_rows_min() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 12::bigint $$;

-- The time after which a call that begins now looks at no further row.
CREATE OR REPLACE FUNCTION honker._inspect_until() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
  SELECT clock_timestamp() + interval '25 milliseconds'
$$;

-- Ids that a call collects from indexes to bring them into their order.
CREATE OR REPLACE FUNCTION honker._inspect_ids() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 20000::bigint $$;

-- How far counts go unless the caller says so.
CREATE OR REPLACE FUNCTION honker._count_limit_default() RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT 10000::bigint $$;

-- The rows of a page.
CREATE OR REPLACE FUNCTION honker._page_size(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT honker._integer(n, 'n', 0, 500)
$$;

-- An instant in words, to the second: `2026-01-31 08:15:00 UTC`.
CREATE OR REPLACE FUNCTION honker._at(milliseconds bigint) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN milliseconds BETWEEN -62135596800000 AND 253402300799999 THEN
      to_char(to_timestamp(floor(milliseconds / 1000.0)::bigint) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
    ELSE 'Unix second ' || floor(milliseconds / 1000.0)::bigint
  END
$$;

CREATE OR REPLACE FUNCTION honker._first_line(whole text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT rtrim(split_part(whole, E'\n', 1), E'\r')
$$;

-- The state of a live job as people see it: the pending jobs are told apart by their time.
CREATE OR REPLACE FUNCTION honker._shown(state text, run_at bigint, now bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE state
    WHEN 'pending' THEN CASE WHEN run_at > now THEN 'delayed' ELSE 'ready' END
    WHEN 'processing' THEN 'running'
    ELSE state
  END
$$;
