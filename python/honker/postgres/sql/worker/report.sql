-- The workers of a database: each process of workers keeps one row about itself.
--
-- A report is the whole row, so a report that is lost is made good by the next one. The leases of jobs decide who works
-- on them; only after the clock was set back do reports decide when a lease ends (see set_back.sql).
--
-- - *The session dies* before the commit of a report: the last one stands. A worker that is stopped deletes its row
--   itself; the row of one that is lost is deleted by the reports of others after an hour.
-- - *Two sessions.* Each writes the row of its own name. A lost worker that was only slow writes its row again. Rows
--   that another session holds are passed over by those that prune.

CREATE OR REPLACE FUNCTION honker.honker_worker_report(report_json text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN honker._report(honker._given_report(report_json), honker._now());
END $$;

-- Writes a report that was checked, moves the leases of lost workers after the clock was set back, and deletes a few
-- workers that were lost long ago. Returns the seconds after which the next report is due: more where many workers
-- share the database.
CREATE OR REPLACE FUNCTION honker._report(given json, now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  workers bigint := (SELECT count(*) FROM (
    SELECT 1 FROM honker.workers AS w WHERE w.seen_at >= now - 3600000 LIMIT 2400) AS lately);
  beat_s bigint := greatest(10, workers * 10 / 20);
BEGIN
  INSERT INTO honker.workers AS w (
    name, seen_at, beat, started_at, host, pid, pid_space, version, is_stopping, slots, busy, queues, worker_ids,
    running)
  VALUES (
    given ->> 'name', now, beat_s * 1000, honker._milliseconds((given ->> 'started_at')::double precision),
    given ->> 'host',
    (given ->> 'pid')::numeric::bigint, given ->> 'pid_space', given ->> 'version',
    coalesce((given ->> 'is_stopping')::boolean, false)::integer, (given ->> 'slots')::numeric::bigint,
    (given ->> 'busy')::numeric::bigint, honker._first_hundred(given -> 'queues'),
    honker._first_hundred(given -> 'worker_ids'),
    honker._first_hundred(given -> 'running'))
  ON CONFLICT ON CONSTRAINT workers_pkey DO UPDATE SET
    seen_at = excluded.seen_at, beat = excluded.beat, started_at = excluded.started_at, host = excluded.host,
    pid = excluded.pid,
    pid_space = excluded.pid_space, version = excluded.version, is_stopping = excluded.is_stopping,
    slots = excluded.slots,
    busy = excluded.busy, queues = excluded.queues, worker_ids = excluded.worker_ids, running = excluded.running;
  PERFORM honker._move_lost_leases(now);
  DELETE FROM honker.workers AS w
  USING (
    SELECT l.name FROM honker.workers AS l WHERE l.seen_at < now - 3600000 ORDER BY l.seen_at LIMIT 8
      FOR UPDATE SKIP LOCKED
  ) AS lost
  WHERE w.name = lost.name;
  RETURN beat_s;
END $$;

CREATE OR REPLACE FUNCTION honker._first_hundred(items json) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(json_agg(e.value ORDER BY e.place), '[]')::text
  FROM json_array_elements(items) WITH ORDINALITY AS e(value, place) WHERE e.place <= 100
$$;

CREATE OR REPLACE FUNCTION honker.honker_worker_leave(name text) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  PERFORM honker._name(name, 'name');
  DELETE FROM honker.workers AS w WHERE w.name = name;
  RETURN FOUND::integer;
END $$;

-- A worker is lost if it has not reported for three beats, or is dated more than a day ahead.
CREATE OR REPLACE FUNCTION honker.honker_worker_list(after text, n bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
BEGIN
  IF after IS NOT NULL THEN
    PERFORM honker._name(after, 'after');
  END IF;
  PERFORM honker._integer(n, 'n', 0, 10000);
  RETURN (
    SELECT coalesce(json_agg(json_build_object(
      'name', w.name,
      'state', CASE
        WHEN w.seen_at + 3 * least(greatest(w.beat, 10000), 1200000) < now OR w.seen_at > now + 86400000 THEN 'lost'
        WHEN w.is_stopping <> 0 THEN 'stopping'
        ELSE 'running'
      END,
      'seen_at', honker._seconds(w.seen_at), 'started_at', honker._seconds(w.started_at), 'host', w.host, 'pid', w.pid,
      'pid_space', w.pid_space, 'version', w.version, 'slots', w.slots, 'busy', w.busy, 'queues', w.queues::json,
      'worker_ids', w.worker_ids::json, 'running', w.running::json
    ) ORDER BY w.name), '[]')::text
    FROM (SELECT p.* FROM honker.workers AS p WHERE p.name > coalesce(after, '') ORDER BY p.name LIMIT n) AS w
  );
END $$;
