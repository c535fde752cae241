-- Where a queue begins, as this session has seen it last: for a look that dead index entries make slow.
--
-- Entries of jobs that have ended stay in the indexes while a transaction that is older holds them. A look at the head of a queue
-- then walks over all of them (27 ms behind 100,000). So a session whose look took longer than 1 ms, and five times as long as one that
-- begins at the job that it has found, remembers that place, for twenty times as long, and begins there. A better level is looked for
-- each time. A job that is put back before that place is seen by the next full look: those take at most a twentieth of the time.
--
-- It is a hint: a transaction that is rolled back takes it away, and nothing but the time at which a job is met depends on it.

-- The place that this session remembers, with the time until which it is good; NULLs if there is none.
CREATE OR REPLACE FUNCTION honker._remembered(queue text, OUT level bigint, OUT floor bigint) LANGUAGE plpgsql AS $$
DECLARE
  place text[] := string_to_array(current_setting('honker.front', true), ' ');
BEGIN
  IF place[1] = md5(queue) AND place[4]::double precision > extract(epoch FROM clock_timestamp()) THEN
    level := place[2]::bigint;
    floor := place[3]::bigint;
  END IF;
END $$;

-- Remembers a place until an instant in seconds.
CREATE OR REPLACE FUNCTION honker._remember(queue text, level bigint, floor bigint, good_until double precision) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('honker.front', concat_ws(' ', md5(queue), level, floor, good_until), false);
END $$;

-- The best level with a due job, and the time from which to search in it.
CREATE OR REPLACE FUNCTION honker._front(queue text, now bigint, OUT level bigint, OUT floor bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  lowest CONSTANT bigint := -9223372036854775808;
  began_at timestamptz;
  took double precision;
BEGIN
  IF current_setting('honker.front', true) <> '' THEN
    SELECT r.level, r.floor INTO level, floor FROM honker._remembered(queue) AS r;
    floor := honker._first_at(queue, level, floor);
    IF floor <= now AND honker._due_above(queue, level, now) IS NULL THEN
      PERFORM honker._remember(
        queue, level, floor, split_part(current_setting('honker.front'), ' ', 4)::double precision);
      RETURN;
    END IF;
  END IF;
  began_at := clock_timestamp();
  level := honker._due_level(queue, NULL, now);
  floor := lowest;
  took := extract(epoch FROM clock_timestamp() - began_at);
  IF took > 0.001 AND level IS NOT NULL THEN
    PERFORM honker._remember_if_faster(queue, level, took);
  END IF;
END $$;

-- Remembers the first job of a level if a look that begins there is much faster than the one that took so many seconds.
CREATE OR REPLACE FUNCTION honker._remember_if_faster(queue text, level bigint, took double precision) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  place bigint := honker._first_at(queue, level, -9223372036854775808);
  began_at timestamptz := clock_timestamp();
BEGIN
  PERFORM honker._first_at(queue, level, place);
  IF extract(epoch FROM clock_timestamp() - began_at) * 5 < took THEN
    PERFORM honker._remember(queue, level, place, extract(epoch FROM clock_timestamp()) + 20 * took);
  END IF;
END $$;

-- When the first waiting job of a level that is not due before `floor` is due.
CREATE OR REPLACE FUNCTION honker._first_at(queue text, level bigint, floor bigint) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  RETURN (SELECT l.run_at FROM honker.live AS l
          WHERE l.queue = queue AND l.state = 'pending' AND l.priority = level AND l.run_at >= floor
          ORDER BY l.run_at, l.id LIMIT 1);
END $$;

-- A level above another with a due job; NULL if there is none.
CREATE OR REPLACE FUNCTION honker._due_above(queue text, level bigint, now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  above bigint := 9223372036854775807;
  first_due bigint;
BEGIN
  LOOP
    SELECT l.priority, l.run_at INTO above, first_due FROM honker.live AS l
    WHERE l.queue = queue AND l.state = 'pending' AND l.priority < above AND l.priority > level
    ORDER BY l.priority DESC, l.run_at, l.id LIMIT 1;
    EXIT WHEN NOT FOUND OR first_due <= now;
  END LOOP;
  RETURN above;
END $$;
