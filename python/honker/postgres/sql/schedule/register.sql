-- Keeping schedules.

CREATE OR REPLACE FUNCTION honker._schedule_policy(policy text, argument text, choices text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF policy <> ALL (choices) THEN
    PERFORM honker._invalid(argument, format('is "%s"; the policies are %s', policy, array_to_string(choices, ', ')));
  END IF;
  RETURN policy;
END $$;

CREATE OR REPLACE FUNCTION honker._misfire(policy text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT honker._schedule_policy(policy, 'misfire', '{catch_up,once,skip}')
$$;

CREATE OR REPLACE FUNCTION honker._overlap(policy text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT honker._schedule_policy(policy, 'overlap', '{queue,skip}')
$$;

CREATE OR REPLACE FUNCTION honker._when_paused(policy text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT honker._schedule_policy(policy, 'when_paused', '{enqueue,skip}')
$$;

CREATE OR REPLACE FUNCTION honker._attempts_of(max_attempts bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT greatest(least(coalesce(max_attempts, 3), 1000000), 1)
$$;

-- The milliseconds of an expiry in whole seconds, which may be negative.
CREATE OR REPLACE FUNCTION honker._expiry(expires_s bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN expires_s IS NOT NULL THEN
    honker._integer(expires_s, 'expires_s', -3155760000, 3155760000) * 1000 END
$$;

-- The first boundary after an instant, in milliseconds. Those that do not fit are alike, so that none overflows.
CREATE OR REPLACE FUNCTION honker._fires_after(parsed honker.cron, time_zone text, instant bigint) RETURNS bigint
LANGUAGE sql VOLATILE AS $$
  SELECT least(honker._boundary_after(parsed, time_zone, floor(instant / 1000.0)::bigint), 9223372036854775) * 1000
$$;

-- The latest boundary that a schedule waits for: the second one from now. One beyond it was stored under a clock that
-- was ahead, and the schedule would stand still until then. With one more boundary, a clock that is set back a little
-- fires none twice.
CREATE OR REPLACE FUNCTION honker._latest_boundary(parsed honker.cron, time_zone text, now bigint) RETURNS bigint
LANGUAGE sql VOLATILE AS $$
  SELECT honker._fires_after(parsed, time_zone, honker._fires_after(parsed, time_zone, now))
$$;

CREATE OR REPLACE FUNCTION honker.honker_scheduler_register(
  name text, queue text, expr text, payload text, priority bigint, expires_s bigint, max_attempts bigint DEFAULT NULL,
  time_zone text DEFAULT NULL, misfire text DEFAULT NULL, overlap text DEFAULT NULL, when_paused text DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  new honker.schedules;
BEGIN
  new.name := honker._name(name, 'name');
  new.queue := honker._name(queue, 'queue');
  new.expr := honker._text(expr, 'expr');
  new.payload := honker._text(payload, 'payload');
  new.priority := honker._integer(priority, 'priority', -9007199254740991, 9007199254740991);
  new.expires := honker._expiry(expires_s);
  new.max_attempts := honker._attempts_of(max_attempts);
  new.time_zone := nullif(time_zone, '');
  new.misfire := coalesce(honker._misfire(misfire), 'catch_up');
  new.overlap := coalesce(honker._overlap(overlap), 'queue');
  new.when_paused := coalesce(honker._when_paused(when_paused), 'enqueue');
  PERFORM honker._keep_schedule(new, honker._now());
  PERFORM honker._announce();
  RETURN 1;
END $$;

-- Stores a schedule, replacing one of that name.
--
-- The next boundary stays while expression and time zone do: applications register at every start, and a new boundary
-- would drop those that passed while the application was down. One that a clock stored which was ahead is set back. A
-- paused schedule stays paused. Of two sessions that register at once, the second one waits for the row.
CREATE OR REPLACE FUNCTION honker._keep_schedule(new honker.schedules, now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  parsed honker.cron := honker._parse_cron(new.expr);
  latest bigint := honker._latest_boundary(parsed, new.time_zone, now);
BEGIN
  new.next_fire_at := honker._fires_after(parsed, new.time_zone, now);
  INSERT INTO honker.schedules AS s (
    name, queue, expr, time_zone, payload, priority, expires, max_attempts, misfire, overlap, when_paused, next_fire_at,
    planned_at)
  VALUES (
    new.name, new.queue, new.expr, new.time_zone, new.payload, new.priority, new.expires, new.max_attempts, new.misfire,
    new.overlap, new.when_paused, new.next_fire_at, now)
  ON CONFLICT ON CONSTRAINT schedules_pkey DO UPDATE SET
    queue = excluded.queue, payload = excluded.payload, priority = excluded.priority, expires = excluded.expires,
    max_attempts = excluded.max_attempts, misfire = excluded.misfire, overlap = excluded.overlap,
    when_paused = excluded.when_paused, last_error = NULL, expr = excluded.expr, time_zone = excluded.time_zone,
    (next_fire_at, planned_at, fired_before, set_back_at) = (
      SELECT p.next_fire_at, p.planned_at, p.fired_before, p.set_back_at
      FROM honker._kept_place(s, excluded, latest) AS p);
END $$;

-- The place of a schedule that is registered again.
CREATE OR REPLACE FUNCTION honker._kept_place(old honker.schedules, new honker.schedules, latest bigint)
RETURNS honker.schedules LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF (old.expr, coalesce(old.time_zone, '')) <> (new.expr, coalesce(new.time_zone, '')) THEN
    RETURN new;
  ELSIF old.next_fire_at <= latest THEN
    RETURN old;
  END IF;
  new.fired_before := greatest(old.next_fire_at, old.fired_before);
  new.set_back_at := floor(new.planned_at / 1000.0)::bigint * 1000;
  RETURN new;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_scheduler_unregister(name text) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  PERFORM honker._name(name, 'name');
  DELETE FROM honker.schedules AS s WHERE s.name = name;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  PERFORM honker._announce();
  RETURN 1;
END $$;

CREATE OR REPLACE FUNCTION honker._enable_schedule(name text, enabled boolean) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  PERFORM honker._name(name, 'name');
  UPDATE honker.schedules AS s SET enabled = enabled WHERE s.name = name AND s.enabled <> enabled;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  PERFORM honker._announce();
  RETURN 1;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_scheduler_pause(name text) RETURNS bigint LANGUAGE sql AS $$
  SELECT honker._enable_schedule(name, false)
$$;

-- It goes on from the boundary that it had come to.
CREATE OR REPLACE FUNCTION honker.honker_scheduler_resume(name text) RETURNS bigint LANGUAGE sql AS $$
  SELECT honker._enable_schedule(name, true)
$$;

CREATE OR REPLACE FUNCTION honker.honker_scheduler_list() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT coalesce(json_agg(json_build_object(
    'name', s.name, 'queue', s.queue, 'cron_expr', s.expr, 'payload', s.payload, 'priority', s.priority,
    'expires_s', s.expires / 1000, 'next_fire_at', honker._seconds(s.next_fire_at), 'enabled', s.enabled,
    'max_attempts', s.max_attempts, 'time_zone', s.time_zone, 'misfire', s.misfire, 'last_error', s.last_error,
    'overlap', s.overlap, 'when_paused', s.when_paused, 'last_job_id', s.last_job_id
  ) ORDER BY s.name COLLATE "C"), '[]')::text
  FROM honker.schedules AS s
$$;
