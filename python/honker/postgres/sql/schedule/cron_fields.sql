-- The fields of a cron expression: their words, checked one by one, as sets of numbers. The rules are those of the
-- engine on SQLite (schedule/cron_field.rs): a list of `*`, `N`, `A-B`, `*/STEP` and `A-B/STEP`, names of months and
-- weekdays, and the words of the day fields. `N/STEP` is refused, because other programs read it in two ways.

-- The number that a word stands for; numbers beyond 32 bits are alike. A leading `+` is allowed.
CREATE OR REPLACE FUNCTION honker._cron_number(word text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN word ~ E'^\\+?[0-9]+$' THEN least(word::numeric, 4294967295)::bigint END
$$;

CREATE OR REPLACE FUNCTION honker._cron_wrong(field text, word text, problem text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM honker._invalid('expr:', format('the %s field "%s" is not valid: %s', field, word, problem));
END $$;

-- One number or name of a field.
CREATE OR REPLACE FUNCTION honker._cron_value(field text, word text, lowest bigint, highest bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  names text[] := CASE field
    WHEN 'month' THEN '{JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC}'::text[]
    WHEN 'day-of-week' THEN '{SUN,MON,TUE,WED,THU,FRI,SAT}'::text[]
  END;
  value bigint := coalesce(honker._cron_number(word), array_position(names, upper(word)) - 1 + lowest);
BEGIN
  IF value IS NULL THEN
    PERFORM honker._cron_wrong(field, word, 'it is neither a number nor a name of this field');
  ELSIF value NOT BETWEEN lowest AND highest THEN
    PERFORM honker._cron_wrong(field, word, format('it is not in the range %s-%s', lowest, highest));
  END IF;
  RETURN value;
END $$;

-- The ends of `N` or `A-B`; of `N` both are the same.
CREATE OR REPLACE FUNCTION honker._cron_range(
  field text, range text, lowest bigint, highest bigint, OUT first bigint, OUT last bigint, OUT is_single boolean
) LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  words text[] := string_to_array(range, '-');
BEGIN
  -- An empty text has no words for PostgreSQL.
  words := CASE WHEN range = '' THEN ARRAY[''] ELSE words END;
  IF cardinality(words) > 2 THEN
    PERFORM honker._cron_wrong(field, range, 'a range has two ends');
  END IF;
  is_single := cardinality(words) = 1;
  first := honker._cron_value(field, words[1], lowest, highest);
  last := honker._cron_value(field, words[cardinality(words)], lowest, highest);
  -- A week may end on Sunday by name, as in FRI-SUN; SUN-SUN is one day.
  IF NOT is_single AND upper(words[2]) = 'SUN' AND first > 0 THEN
    last := 7;
  END IF;
  IF first > last THEN
    PERFORM honker._cron_wrong(field, range, 'the range ends before it begins');
  END IF;
END $$;

-- The numbers of one item of a list, as bits, without the words of the day fields.
CREATE OR REPLACE FUNCTION honker._cron_item(field text, item text, lowest bigint, highest bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  slash integer := strpos(item, '/');
  range text := CASE WHEN slash > 0 THEN left(item, slash - 1) ELSE item END;
  step bigint := 1;
  first bigint := lowest;
  last bigint := highest;
  is_single boolean;
BEGIN
  IF slash > 0 THEN
    step := honker._cron_number(substr(item, slash + 1));
    IF honker._cron_number(range) IS NOT NULL THEN
      PERFORM honker._cron_wrong(field, item, format(
        'it is ambiguous, write "%s-%s%s" or "%s"', range, highest, substr(item, slash), range));
    ELSIF coalesce(step, 0) = 0 THEN
      PERFORM honker._cron_wrong(field, item, 'the step is not a whole number of at least 1');
    END IF;
  END IF;
  IF range <> '*' AND NOT (range = '?' AND field LIKE 'day-%') THEN
    SELECT r.first, r.last, r.is_single INTO first, last, is_single
    FROM honker._cron_range(field, range, lowest, highest) AS r;
    IF slash > 0 AND is_single THEN
      PERFORM honker._cron_wrong(field, item, 'a step needs a range or *');
    END IF;
  END IF;
  RETURN honker._cron_bits(first, last, step);
END $$;

CREATE OR REPLACE FUNCTION honker._cron_bits(first bigint, last bigint, step bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT bit_or(1::bigint << n::integer) FROM generate_series(first, last, step) AS n
$$;

-- The items of a field's list.
CREATE OR REPLACE FUNCTION honker._cron_items(field text, list text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  items text[] := string_to_array(list, ',');
BEGIN
  IF cardinality(items) = 0 OR '' = ANY (items) THEN
    PERFORM honker._cron_wrong(field, list, 'its list has an empty item');
  END IF;
  RETURN items;
END $$;

-- A field without words of its own, as bits.
CREATE OR REPLACE FUNCTION honker._cron_field(field text, list text, lowest bigint, highest bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  bits bigint := 0;
  item text;
BEGIN
  FOREACH item IN ARRAY honker._cron_items(field, list) LOOP
    bits := bits | honker._cron_item(field, item, lowest, highest);
  END LOOP;
  RETURN bits;
END $$;

-- Day-of-month, which also takes `L` (the last day), `15W` (the nearest day from Monday to Friday) and `LW` (the last
-- such day).
CREATE OR REPLACE FUNCTION honker._cron_month_days(parsed honker.cron, list text) RETURNS honker.cron
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  field CONSTANT text := 'day-of-month';
  item text;
BEGIN
  parsed.month_days := 0;
  parsed.near_days := 0;
  parsed.has_last_day := false;
  parsed.has_last_workday := false;
  FOREACH item IN ARRAY honker._cron_items(field, list) LOOP
    CASE
      WHEN upper(item) = 'L' THEN parsed.has_last_day := true;
      WHEN upper(item) = 'LW' THEN parsed.has_last_workday := true;
      WHEN item ~ '^[0-9]+[Ww]$' THEN
        parsed.near_days := parsed.near_days | (1::bigint << honker._cron_value(field, left(item, -1), 1, 31)::integer);
      ELSE parsed.month_days := parsed.month_days | honker._cron_item(field, item, 1, 31);
    END CASE;
  END LOOP;
  IF parsed.has_last_day AND parsed.has_last_workday THEN
    PERFORM honker._cron_wrong(field, list, 'L and LW exclude each other');
  END IF;
  RETURN parsed;
END $$;

-- Day-of-week, which also takes `5#2` (the second Friday), `1-5#2`, and `5L` or `5#L` (the last Friday). 0 and 7 are
-- Sunday.
CREATE OR REPLACE FUNCTION honker._cron_week_days(parsed honker.cron, list text) RETURNS honker.cron
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  field CONSTANT text := 'day-of-week';
  bits bigint := 0;
  item text;
  parts text[];
  ends record;
  nth bigint;
BEGIN
  parsed.nth_days := 0;
  FOREACH item IN ARRAY honker._cron_items(field, list) LOOP
    parts := regexp_match(item, '^([^#]*)#(.*)$');
    parts := coalesce(parts, regexp_match(item, '^([^/]*)([Ll])$'));
    IF parts IS NULL THEN
      bits := bits | honker._cron_item(field, item, 0, 7);
      CONTINUE;
    END IF;
    SELECT r.first, r.last, r.is_single INTO ends FROM honker._cron_range(field, parts[1], 0, 7) AS r;
    nth := CASE WHEN upper(parts[2]) = 'L' AND ends.is_single THEN 6 ELSE honker._cron_number(parts[2]) END;
    IF nth IS NULL OR NOT (nth BETWEEN 1 AND 5 OR upper(parts[2]) = 'L') THEN
      PERFORM honker._cron_wrong(field, item, 'after # stands a number from 1 to 5, or L after one weekday');
    END IF;
    FOR day IN ends.first .. ends.last LOOP
      parsed.nth_days := parsed.nth_days | (1::bigint << (day % 7 * 8 + nth)::integer);
    END LOOP;
  END LOOP;
  parsed.week_days := (bits | (bits >> 7)) & 127;
  RETURN parsed;
END $$;
