-- Expressions of schedules: parsed, and matched on the wall clock, without a time zone. The boundaries are those of the
-- engine on SQLite (schedule/expression.rs), for every expression that both accept.

-- Parses `@every 30s`, a nickname, or five or six fields.
CREATE OR REPLACE FUNCTION honker._parse_cron(expr text) RETURNS honker.cron LANGUAGE plpgsql IMMUTABLE AS $$
#variable_conflict use_variable
DECLARE
  written text := regexp_replace(expr, E'^\\s+|\\s+$', '', 'g');
  parsed honker.cron;
  fields text[];
BEGIN
  IF octet_length(written) > 255 THEN
    PERFORM honker._invalid('expr:', format(
      'schedule expression has %s bytes; at most 255 are accepted', octet_length(written)));
  ELSIF written LIKE '@every%' THEN
    parsed.interval_s := honker._every_s(written);
    RETURN parsed;
  ELSIF written LIKE '@%' THEN
    fields := honker._cron_nickname(written);
  ELSE
    fields := regexp_split_to_array(written, E'\\s+');
  END IF;
  IF cardinality(fields) = 5 THEN
    fields := '0'::text || fields;
  ELSIF cardinality(fields) <> 6 OR written = '' THEN
    PERFORM honker._invalid('expr:', format(
      'schedule expression "%s" is not valid: it has %s fields instead of 5 or 6', written, cardinality(fields)));
  END IF;
  parsed.seconds := honker._cron_field('second', fields[1], 0, 59);
  parsed.minutes := honker._cron_field('minute', fields[2], 0, 59);
  parsed.hours := honker._cron_field('hour', fields[3], 0, 23);
  parsed := honker._cron_month_days(parsed, fields[4]);
  parsed.months := honker._cron_field('month', fields[5], 1, 12);
  parsed := honker._cron_week_days(parsed, regexp_replace(fields[6], E'^\\+', ''));
  -- A day must meet both day fields if one begins with `*`, as in Vixie cron, or if day-of-week begins with `+`.
  parsed.meets_both := fields[4] ~ '^[*?]' OR fields[6] ~ '^[*?+]';
  -- "Every so often" instead of "at these hours": an hour that the clock repeats is one more hour.
  parsed.runs_through_hours := fields[3] ~ '[*/]' OR parsed.hours = (1 << 24) - 1;
  IF honker._first_match(parsed, 92461910400) IS NULL THEN
    PERFORM honker._invalid('expr:', format('schedule expression "%s" matches no date within 100 years', written));
  END IF;
  RETURN parsed;
END $$;

CREATE OR REPLACE FUNCTION honker._cron_nickname(written text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  fields text := CASE lower(written)
    WHEN '@hourly' THEN '0 * * * *'
    WHEN '@daily' THEN '0 0 * * *'
    WHEN '@midnight' THEN '0 0 * * *'
    WHEN '@weekly' THEN '0 0 * * 0'
    WHEN '@monthly' THEN '0 0 1 * *'
    WHEN '@yearly' THEN '0 0 1 1 *'
    WHEN '@annually' THEN '0 0 1 1 *'
  END;
BEGIN
  IF fields IS NULL THEN
    PERFORM honker._invalid('expr:', format('schedule expression "%s" is not valid: the nickname is unknown', written));
  END IF;
  RETURN string_to_array(fields, ' ');
END $$;

-- The seconds of an interval such as `@every 90s`; no sign, no fraction, one unit.
CREATE OR REPLACE FUNCTION honker._every_s(written text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  parts text[] := regexp_match(written, E'^@every\\s*([0-9]+)([smhd])$');
  unit_s integer := CASE parts[2] WHEN 's' THEN 1 WHEN 'm' THEN 60 WHEN 'h' THEN 3600 WHEN 'd' THEN 86400 END;
  span numeric := parts[1]::numeric * unit_s;
BEGIN
  IF span IS NULL OR span = 0 OR span > 9223372036854775807 THEN
    PERFORM honker._invalid('expr:', format(
      'schedule expression "%s" is not valid: @every takes a whole number of at least 1 and one of s, m, h, d '
      '(@every 30s)', written));
  END IF;
  RETURN span::bigint;
END $$;

-- The first matching wall time at or after `wall`, both as if they were Unix seconds in UTC; NULL if there is none
-- within 100 years. A date that can match does so within 40 years: the rarest is a 29 February on a given weekday.
CREATE OR REPLACE FUNCTION honker._first_match(parsed honker.cron, wall bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  epoch CONSTANT date := date '1970-01-01';
  today date := epoch + floor(wall / 86400.0)::integer;
  second bigint := honker._first_second(parsed, (wall - (today - epoch)::bigint * 86400)::integer);
  month date := date_trunc('month', today::timestamp)::date;
  -- The days of the month that are to come, with or without today.
  later bigint := -1::bigint << (today - month + CASE WHEN second IS NULL THEN 2 ELSE 1 END);
  days bigint;
BEGIN
  FOR ahead IN 0 .. 1200 LOOP
    IF parsed.months >> extract(month FROM month)::integer & 1 = 1 THEN
      days := honker._days_of_month(parsed, month) & later;
      IF days <> 0 THEN
        -- The lowest bit.
        today := month + length(ltrim((days & -days)::bit(64)::text, '0')) - 2;
        IF ahead > 0 OR (days & -days) <> (later & -later) OR second IS NULL THEN
          second := honker._first_second(parsed, 0);
        END IF;
        RETURN (today - epoch)::bigint * 86400 + second;
      END IF;
    END IF;
    month := (month + interval '1 month')::date;
    later := -1;
  END LOOP;
  RETURN NULL;
END $$;

-- The first matching second of a day at or after `second`; NULL if the day has none.
CREATE OR REPLACE FUNCTION honker._first_second(parsed honker.cron, second integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  hour integer := second / 3600;
  minute integer := second / 60 % 60;
  found integer;
BEGIN
  IF parsed.hours >> hour & 1 = 1 THEN
    IF parsed.minutes >> minute & 1 = 1 THEN
      found := honker._lowest_bit(parsed.seconds, second % 60);
      IF found IS NOT NULL THEN
        RETURN hour * 3600 + minute * 60 + found;
      END IF;
    END IF;
    found := honker._lowest_bit(parsed.minutes, minute + 1);
    IF found IS NOT NULL THEN
      RETURN hour * 3600 + found * 60 + honker._lowest_bit(parsed.seconds, 0);
    END IF;
  END IF;
  RETURN honker._lowest_bit(parsed.hours, hour + 1) * 3600
    + honker._lowest_bit(parsed.minutes, 0) * 60 + honker._lowest_bit(parsed.seconds, 0);
END $$;

-- The first number of a set that is not below `lowest`, up to 61; NULL if there is none.
CREATE OR REPLACE FUNCTION honker._lowest_bit(bits bigint, lowest integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  bits := bits & (-1::bigint << lowest);
  RETURN CASE WHEN bits <> 0 THEN length(ltrim((bits & -bits)::bit(64)::text, '0')) - 1 END;
END $$;

-- The days of a month that match, as bits 1 to 31.
CREATE OR REPLACE FUNCTION honker._days_of_month(parsed honker.cron, month date) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  length integer := (month + interval '1 month')::date - month;
  all_days bigint := (1::bigint << length + 1) - 2;
  first_week_day integer := extract(dow FROM month);
  of_month bigint := parsed.month_days;
  of_week bigint := 0;
  first integer;
BEGIN
  IF parsed.has_last_day THEN
    of_month := of_month | (1::bigint << length);
  END IF;
  IF parsed.has_last_workday THEN
    of_month := of_month | (1::bigint << honker._near_work_day(length, length, first_week_day));
  END IF;
  IF parsed.near_days <> 0 THEN
    FOR day IN 1 .. length LOOP
      IF parsed.near_days >> day & 1 = 1 THEN
        of_month := of_month | (1::bigint << honker._near_work_day(day, length, first_week_day));
      END IF;
    END LOOP;
  END IF;
  FOR week_day IN 0 .. 6 LOOP
    first := 1 + (week_day - first_week_day + 7) % 7;
    IF parsed.week_days >> week_day & 1 = 1 THEN
      -- The bits 0, 7, 14, 21 and 28.
      of_week := of_week | (270549121::bigint << first);
    END IF;
    IF parsed.nth_days >> week_day * 8 & 127 <> 0 THEN
      of_week := of_week | honker._nth_days(parsed.nth_days >> week_day * 8, first, length);
    END IF;
  END LOOP;
  RETURN all_days & CASE WHEN parsed.meets_both THEN of_month & of_week ELSE of_month | of_week END;
END $$;

-- The days of one weekday that `5#2` and `5L` stand for, in a month whose first such day is `first`.
CREATE OR REPLACE FUNCTION honker._nth_days(nth bigint, first integer, length integer) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  days bigint := 0;
BEGIN
  FOR n IN 1 .. 5 LOOP
    IF nth >> n & 1 = 1 THEN
      days := days | (1::bigint << first + 7 * (n - 1));
    END IF;
  END LOOP;
  IF nth >> 6 & 1 = 1 THEN
    days := days | (1::bigint << CASE WHEN first + 28 <= length THEN first + 28 ELSE first + 21 END);
  END IF;
  RETURN days;
END $$;

-- The day from Monday to Friday of a month that is nearest to a day of it.
CREATE OR REPLACE FUNCTION honker._near_work_day(day integer, length integer, first_week_day integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE (first_week_day + day - 1) % 7
    WHEN 6 THEN CASE WHEN day > 1 THEN day - 1 ELSE day + 2 END
    WHEN 0 THEN CASE WHEN day < length THEN day + 1 ELSE day - 2 END
    ELSE day
  END
$$;
