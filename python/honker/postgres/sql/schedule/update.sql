-- Changes properties of a schedule; NULL leaves a property as it is. A new expression or time zone moves the next
-- boundary.
CREATE OR REPLACE FUNCTION honker.honker_scheduler_update(
  name text, expr text, payload text, priority bigint, expires_s bigint, touch_expires bigint,
  max_attempts bigint DEFAULT NULL, touch_max_attempts bigint DEFAULT NULL, time_zone text DEFAULT NULL,
  misfire text DEFAULT NULL, overlap text DEFAULT NULL, when_paused text DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  touches_expires boolean := coalesce(touch_expires, 0) <> 0;
  touches_attempts boolean := coalesce(touch_max_attempts, 0) <> 0;
  expires bigint := honker._expiry(expires_s);
  schedule honker.schedules;
BEGIN
  PERFORM honker._name(name, 'name'), honker._optional_text(expr, 'expr'), honker._optional_text(payload, 'payload');
  PERFORM honker._misfire(misfire), honker._overlap(overlap), honker._when_paused(when_paused);
  IF priority IS NOT NULL THEN
    PERFORM honker._integer(priority, 'priority', -9007199254740991, 9007199254740991);
  END IF;
  SELECT s.* INTO schedule FROM honker.schedules AS s WHERE s.name = name FOR UPDATE;
  IF expr IS NOT NULL OR time_zone IS NOT NULL THEN
    schedule.expr := coalesce(expr, schedule.expr);
    schedule.time_zone := nullif(coalesce(time_zone, schedule.time_zone), '');
    schedule := honker._planned_anew(schedule, honker._now());
  ELSIF payload IS NULL AND priority IS NULL AND NOT touches_expires AND NOT touches_attempts AND misfire IS NULL
        AND overlap IS NULL AND when_paused IS NULL THEN
    RETURN 0;
  END IF;
  UPDATE honker.schedules AS s SET
    expr = schedule.expr, time_zone = schedule.time_zone, next_fire_at = schedule.next_fire_at,
    planned_at = schedule.planned_at, fired_before = schedule.fired_before, set_back_at = schedule.set_back_at,
    payload = coalesce(payload, s.payload), priority = coalesce(priority, s.priority),
    expires = CASE WHEN touches_expires THEN expires ELSE s.expires END,
    max_attempts = CASE WHEN touches_attempts THEN honker._attempts_of(max_attempts) ELSE s.max_attempts END,
    misfire = coalesce(misfire, s.misfire), overlap = coalesce(overlap, s.overlap),
    when_paused = coalesce(when_paused, s.when_paused), last_error = NULL
  WHERE s.name = name;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  PERFORM honker._announce();
  RETURN 1;
END $$;

CREATE OR REPLACE FUNCTION honker._optional_text(value text, argument text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN value IS NOT NULL THEN honker._text(value, argument) END
$$;

-- The schedule at its first boundary from now. Without a name there is no schedule.
CREATE OR REPLACE FUNCTION honker._planned_anew(schedule honker.schedules, now bigint) RETURNS honker.schedules
LANGUAGE plpgsql AS $$
BEGIN
  IF schedule.name IS NOT NULL THEN
    schedule.next_fire_at := honker._fires_after(honker._parse_cron(schedule.expr), schedule.time_zone, now);
    schedule.planned_at := now;
    schedule.fired_before := NULL;
    schedule.set_back_at := NULL;
  END IF;
  RETURN schedule;
END $$;
