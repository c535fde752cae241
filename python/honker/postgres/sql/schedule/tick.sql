-- Ticking: enqueueing a job for each boundary that has come.
--
-- Invariant: each boundary fires at most once, and once more only if it comes on time again after the clock was set
-- back: see plan.sql.
-- - *Two sessions.* Ticks wait for each other, and the due rows are read under that lock, so the second one sees the
--   boundary gone. The rows are locked as well, against sessions that change or remove a schedule.
-- - *The session dies.* The jobs and the next boundaries commit together. Before the commit nothing has fired, and the
--   next tick fires it.
-- - *A job ends meanwhile.* A boundary is passed over, as its schedule may ask, by rows that are read here: a job that
--   ends later ends after the tick.

CREATE OR REPLACE FUNCTION honker.honker_scheduler_tick(now_unix double precision) RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  until bigint := honker._instant(now_unix, 'now_unix');
  now bigint := honker._now();
  schedule honker.schedules;
  fires text[] := '{}';
  rewound bigint;
BEGIN
  -- A tick that finds nothing writes nothing, and waits for nothing.
  IF NOT EXISTS (SELECT 1 FROM honker.schedules AS s WHERE s.enabled AND s.next_fire_at <= until)
     AND NOT EXISTS (SELECT 1 FROM honker._too_far_ahead(greatest(until, now))) THEN
    RETURN '[]';
  END IF;
  PERFORM pg_advisory_xact_lock(1752133746, 1);
  now := honker._now();
  FOR schedule IN
    WITH due AS (
      SELECT s.* FROM honker.schedules AS s WHERE s.enabled AND s.next_fire_at <= until ORDER BY s.name FOR UPDATE
    )
    SELECT d.* FROM due AS d ORDER BY d.next_fire_at, d.name COLLATE "C"
  LOOP
    fires := fires || honker._tick_schedule(schedule, until, now);
  END LOOP;
  rewound := honker._rewind_schedules(greatest(until, now));
  IF cardinality(fires) > 0 OR rewound > 0 THEN
    PERFORM honker._announce();
  END IF;
  RETURN '[' || array_to_string(fires, ',') || ']';
END $$;

-- Fires the boundaries of one schedule, and moves it on. A schedule that cannot be understood is passed over, and the
-- reason is stored in its row. Returns the fires as JSON texts.
CREATE OR REPLACE FUNCTION honker._tick_schedule(schedule honker.schedules, until bigint, now bigint) RETURNS text[]
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  plan record;
  boundary bigint;
  fires text[] := '{}';
BEGIN
  BEGIN
    PERFORM honker._misfire(schedule.misfire), honker._overlap(schedule.overlap),
            honker._when_paused(schedule.when_paused);
    SELECT p.fire_at, p.next_fire_at, p.fired_before INTO plan FROM honker._plan(schedule, until) AS p;
  EXCEPTION WHEN SQLSTATE 'HK001' THEN
    UPDATE honker.schedules AS s SET last_error = SQLERRM
    WHERE s.name = schedule.name AND s.last_error IS DISTINCT FROM SQLERRM;
    RETURN fires;
  END;
  FOREACH boundary IN ARRAY plan.fire_at LOOP
    IF NOT honker._passes_over(schedule, now) THEN
      schedule.last_job_id := honker._fire(schedule, boundary, now);
      fires := fires || json_build_object(
        'name', schedule.name, 'queue', schedule.queue, 'fire_at', honker._seconds(boundary),
        'job_id', schedule.last_job_id)::text;
    END IF;
  END LOOP;
  UPDATE honker.schedules AS s
  SET next_fire_at = plan.next_fire_at, planned_at = greatest(until, now), last_error = NULL,
      last_job_id = schedule.last_job_id, fired_before = plan.fired_before,
      set_back_at = CASE WHEN plan.fired_before IS NOT NULL THEN s.set_back_at END
  WHERE s.name = schedule.name;
  RETURN fires;
END $$;

-- True if a boundary becomes no job now: its queue is paused, or the job of the last firing has not ended. A job that
-- expired before a worker took it will not run.
CREATE OR REPLACE FUNCTION honker._passes_over(schedule honker.schedules, now bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  rules honker.queues;
BEGIN
  IF schedule.when_paused = 'skip' THEN
    SELECT q.* INTO rules FROM honker.queues AS q WHERE q.name = schedule.queue;
    IF honker._is_paused(rules, now) THEN
      RETURN true;
    END IF;
  END IF;
  RETURN schedule.overlap = 'skip' AND EXISTS (
    SELECT 1 FROM honker.live AS l
    WHERE l.id = schedule.last_job_id AND (l.state = 'processing' OR coalesce(l.expires_at > now, true)));
END $$;

-- Enqueues the job of a boundary. Its expiry counts from the boundary, so that it drops late ones.
CREATE OR REPLACE FUNCTION honker._fire(schedule honker.schedules, boundary bigint, now bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  -- A span of a century is as good as the end of time.
  expires_in double precision := least(greatest((boundary - now + schedule.expires) / 1000.0, -3155760000), 3155760000);
  added honker.added;
BEGIN
  added := honker._enqueue(
    schedule.queue, schedule.payload, NULL, NULL, schedule.priority, schedule.max_attempts,
    CASE WHEN schedule.expires IS NOT NULL THEN expires_in END, NULL, now);
  RETURN added.id;
END $$;

-- Schedules whose next boundary was stored by a clock that was ahead, and the boundary that they have instead. A
-- boundary is computed as the first one after an instant that had come, so it can only lie too far ahead if it was
-- computed at a time that is to come.
CREATE OR REPLACE FUNCTION honker._too_far_ahead(now bigint, OUT name text, OUT boundary bigint) RETURNS SETOF record
LANGUAGE plpgsql AS $$
DECLARE
  schedule honker.schedules;
  parsed honker.cron;
BEGIN
  FOR schedule IN
    SELECT s.* FROM honker.schedules AS s
    WHERE s.enabled AND s.last_error IS NULL AND s.planned_at > now AND s.next_fire_at > now
    ORDER BY s.name
  LOOP
    BEGIN
      parsed := honker._parse_cron(schedule.expr);
      IF schedule.next_fire_at > honker._latest_boundary(parsed, schedule.time_zone, now) THEN
        name := schedule.name;
        boundary := honker._fires_after(parsed, schedule.time_zone, now);
        RETURN NEXT;
      END IF;
    EXCEPTION WHEN SQLSTATE 'HK001' THEN
      -- It is reported once its boundary comes.
      CONTINUE;
    END;
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION honker._rewind_schedules(now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  rewound bigint;
BEGIN
  UPDATE honker.schedules AS s
  SET next_fire_at = a.boundary, fired_before = greatest(s.next_fire_at, s.fired_before),
      set_back_at = floor(now / 1000.0)::bigint * 1000, planned_at = now
  FROM honker._too_far_ahead(now) AS a
  WHERE s.name = a.name;
  GET DIAGNOSTICS rewound = ROW_COUNT;
  RETURN rewound;
END $$;

-- The first boundary of the schedules that fire and can be understood; 0 if there is none. The second that has begun if
-- a tick has a schedule to set back.
CREATE OR REPLACE FUNCTION honker.honker_scheduler_soonest() RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
  now bigint := honker._now();
  soonest bigint := (SELECT min(s.next_fire_at) FROM honker.schedules AS s WHERE s.enabled AND s.last_error IS NULL);
BEGIN
  IF soonest > now AND EXISTS (SELECT 1 FROM honker._too_far_ahead(now)) THEN
    RETURN floor(now / 1000.0);
  END IF;
  RETURN coalesce(soonest / 1000.0, 0);
END $$;
