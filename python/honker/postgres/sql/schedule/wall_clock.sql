-- From the wall clock, on which fields are matched, to the instants at which a schedule fires. A schedule is a fixed
-- set of instants, and its next boundary is the smallest one after `after`:
-- - Each instant whose wall time matches.
-- - But a schedule of fixed hours does not fire in the second pass of an hour that the clock repeats; one that runs
--   through the hours does.
-- - And the first instant after an hour that the clock skips, if a wall time in it matches.
--
-- PostgreSQL gives the offset of a zone at an instant, and not the changes of the offset. No zone has changed twice
-- within three days, so samples of two days find each change. The zone is set as that of the session, for the call: a
-- zone in an expression such as AT TIME ZONE could be taken for an abbreviation, and CET would have no summer.

-- The first boundary of an expression strictly after an instant, both Unix seconds. A schedule without a zone is in the
-- one that the settings of the server, the database and the role give to a session; a session that sets another does
-- not move it.
CREATE OR REPLACE FUNCTION honker._next_after(expr text, time_zone text, after bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
  RETURN honker._boundary_after(honker._parse_cron(expr), time_zone, after);
END $$;

CREATE OR REPLACE FUNCTION honker._boundary_after(parsed honker.cron, time_zone text, after bigint) RETURNS bigint
LANGUAGE plpgsql SET TimeZone = 'UTC' AS $$
DECLARE
  boundary bigint;
BEGIN
  PERFORM honker._enter_zone(time_zone);
  IF parsed.interval_s IS NOT NULL THEN
    IF after > 9223372036854775807 - parsed.interval_s THEN
      PERFORM honker._invalid('expr:', format(
        'schedule expression has no boundary after the Unix time %s that fits 64 bits', after));
    END IF;
    RETURN after + parsed.interval_s;
  ELSIF after NOT BETWEEN -62135596800 AND 92461910399 THEN
    PERFORM honker._invalid('expr:', format(
      'schedule expression has no boundary after the Unix time %s that can be computed; accepted are the years 1 to '
      '4899', after));
  END IF;
  RETURN honker._next_boundary(parsed, after);
END $$;

-- Sets the zone of the session; the caller's SET clause restores it. A name with digits that is none of these could be
-- a POSIX rule.
CREATE OR REPLACE FUNCTION honker._enter_zone(time_zone text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF coalesce(time_zone, '') = '' THEN
    SET LOCAL TimeZone TO DEFAULT;
    RETURN;
  ELSIF time_zone ~ '^(?!posix/)[A-Za-z_/-]+$'
     OR upper(time_zone) ~ E'^(ETC/)?GMT[+-]?0$|^ETC/GMT(-[1-9]|-1[0-4]|\\+[1-9]|\\+1[0-2])$'
     OR upper(time_zone) IN ('EST5EDT', 'CST6CDT', 'MST7MDT', 'PST8PDT') THEN
    BEGIN
      PERFORM set_config('TimeZone', time_zone, true);
      RETURN;
    EXCEPTION WHEN invalid_parameter_value THEN
      NULL;
    END;
  END IF;
  PERFORM honker._invalid('time_zone:', format(
    '"%s" is unknown to this server; accepted are IANA names such as "Europe/Berlin" or "UTC", and the empty text for '
    'the zone of the server', left(time_zone, 255)));
END $$;

-- Seconds that the zone of the session is ahead of UTC.
CREATE OR REPLACE FUNCTION honker._offset_s(instant bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT extract(epoch FROM to_timestamp(instant)::timestamp)::bigint - instant
$$;

-- The first instant in (after, until] with another offset than `after`; NULL if there is none.
CREATE OR REPLACE FUNCTION honker._zone_change(after bigint, until bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  offset_s bigint := honker._offset_s(after);
  low bigint := after;
  high bigint;
  middle bigint;
BEGIN
  LOOP
    IF low >= until THEN
      RETURN NULL;
    END IF;
    high := least(low + 172800, until);
    EXIT WHEN honker._offset_s(high) <> offset_s;
    low := high;
  END LOOP;
  WHILE high - low > 1 LOOP
    middle := (low + high) / 2;
    IF honker._offset_s(middle) = offset_s THEN
      low := middle;
    ELSE
      high := middle;
    END IF;
  END LOOP;
  RETURN high;
END $$;

CREATE OR REPLACE FUNCTION honker._next_boundary(parsed honker.cron, after bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
  two_days CONSTANT bigint := 172800;
  at bigint := after;
  offset_s bigint := honker._offset_s(at);
  next_offset_s bigint;
  wall bigint := after + offset_s + 1;
  matched bigint;
  change bigint;
BEGIN
  IF NOT parsed.runs_through_hours THEN
    wall := greatest(wall, honker._repeated_until(after));
  END IF;
  matched := honker._first_match(parsed, wall);
  LOOP
    -- Changes that are far from both ends neither skip the match nor repeat an earlier one.
    IF matched - offset_s - at <= 4 * two_days THEN
      change := honker._zone_change(at, matched - offset_s);
      EXIT WHEN change IS NULL;
    ELSIF at < after + two_days THEN
      change := coalesce(honker._zone_change(at, after + two_days), after + two_days);
    ELSE
      change := matched - offset_s - 2 * two_days;
    END IF;
    next_offset_s := honker._offset_s(change);
    IF matched < change + next_offset_s THEN
      -- The clock was set forward over the match.
      RETURN change;
    ELSIF next_offset_s < offset_s AND parsed.runs_through_hours THEN
      matched := honker._first_match(parsed, change + next_offset_s);
    END IF;
    at := change;
    offset_s := next_offset_s;
  END LOOP;
  RETURN matched - offset_s;
END $$;

-- The first wall time that has not been on the clock up to and including `after`, as far as the clock was set back
-- within two days before; NULL if it was not.
CREATE OR REPLACE FUNCTION honker._repeated_until(after bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  at bigint := after - 172801;
  until bigint;
BEGIN
  LOOP
    at := honker._zone_change(at, after);
    EXIT WHEN at IS NULL;
    until := greatest(until, at + honker._offset_s(at - 1));
  END LOOP;
  RETURN until;
END $$;
