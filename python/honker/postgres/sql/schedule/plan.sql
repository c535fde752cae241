-- The boundaries that a tick fires for one schedule.
--
-- A clock that is set back is either right, after it had been ahead, or wrong, and corrected later. The rows do not
-- show which. So a schedule that has been set back fires each boundary again that comes on time, and does not stand
-- still. It remembers in `fired_before` the boundary that it had come to, and catches up on none before that one. So a
-- clock that returns fires no boundary twice, and the schedule goes on at `fired_before` as if it had never been set
-- back. If the clock had been ahead, boundaries that pass without a tick are lost until it has caught up. That ends
-- once the schedule has fired on time for a day.

CREATE OR REPLACE FUNCTION honker._plan(
  schedule honker.schedules, until bigint, OUT fire_at bigint[], OUT next_fire_at bigint, OUT fired_before bigint
) LANGUAGE plpgsql AS $$
DECLARE
  parsed honker.cron := honker._parse_cron(schedule.expr);
  first bigint := schedule.next_fire_at;
BEGIN
  IF first < schedule.fired_before THEN
    IF until < schedule.fired_before THEN
      SELECT p.fire_at, p.next_fire_at, p.fired_before INTO fire_at, next_fire_at, fired_before
      FROM honker._plan_again(parsed, schedule, until) AS p;
      RETURN;
    END IF;
    first := schedule.fired_before;
  END IF;
  SELECT p.fire_at, p.next_fire_at INTO fire_at, next_fire_at
  FROM honker._plan_due(parsed, schedule.time_zone, schedule.misfire, first, until) AS p;
END $$;

-- Boundaries that have not been passed before. A boundary that is later than a minute is missed for `skip`; `catch_up`
-- fires 64 at most.
CREATE OR REPLACE FUNCTION honker._plan_due(
  parsed honker.cron, time_zone text, misfire text, first bigint, until bigint, OUT fire_at bigint[],
  OUT next_fire_at bigint
) LANGUAGE plpgsql AS $$
BEGIN
  fire_at := '{}';
  next_fire_at := first;
  IF misfire = 'catch_up' THEN
    WHILE next_fire_at <= until AND cardinality(fire_at) < 64 LOOP
      fire_at := fire_at || next_fire_at;
      next_fire_at := honker._fires_after(parsed, time_zone, next_fire_at);
    END LOOP;
  ELSE
    IF misfire = 'once' OR until <= first + 60000 THEN
      fire_at := ARRAY[first];
    END IF;
    next_fire_at := honker._fires_after(parsed, time_zone, first);
  END IF;
  IF next_fire_at <= until THEN
    next_fire_at := honker._fires_after(parsed, time_zone, until);
  END IF;
END $$;

-- Boundaries that have been passed before: only the last one fires, if it comes within a minute.
CREATE OR REPLACE FUNCTION honker._plan_again(
  parsed honker.cron, schedule honker.schedules, until bigint, OUT fire_at bigint[], OUT next_fire_at bigint,
  OUT fired_before bigint
) LANGUAGE plpgsql AS $$
DECLARE
  on_time bigint;
  next bigint := schedule.next_fire_at;
BEGIN
  IF until <= next + 60000 THEN
    WHILE next <= until LOOP
      on_time := next;
      next := honker._fires_after(parsed, schedule.time_zone, next);
    END LOOP;
  END IF;
  next_fire_at := honker._fires_after(parsed, schedule.time_zone, coalesce(on_time, until));
  fire_at := CASE WHEN on_time IS NULL THEN '{}' ELSE ARRAY[on_time] END;
  -- A clock that has lasted for a day is taken for the right one.
  IF coalesce(on_time >= schedule.set_back_at + 86400000, false) THEN
    RETURN;
  END IF;
  fired_before := CASE WHEN next_fire_at < schedule.fired_before THEN schedule.fired_before END;
  next_fire_at := least(next_fire_at, schedule.fired_before);
END $$;
