-- The record of a move of a job: counters by minute, and an event of the topic honker.events. It is written in the
-- transaction of the move, so it is there if and only if the move is. With both off, a call costs one look at
-- honker.meta.
--
-- `move` is enqueued, claimed, done, retried (an attempt failed, and another follows), failed (an attempt failed, and
-- the job is a dead letter), dead (a dead letter without an attempt that failed now), cancelled, snoozed, released,
-- lapsed or requeued.

CREATE OR REPLACE FUNCTION honker._moved(
  job_id bigint, queue text, payload text, move text, run_s double precision, wait_s double precision, now bigint
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  recording record;
  task text;
BEGIN
  SELECT r.counters, r.events INTO recording FROM honker._recording() AS r;
  IF NOT recording.counters AND NOT recording.events THEN
    RETURN;
  END IF;
  task := honker._known_task(job_id, payload);
  IF recording.counters AND move <> 'requeued' THEN
    PERFORM honker._count(queue, coalesce(task, ''), move, 1, run_s, coalesce(wait_s, 0), coalesce(wait_s, 0), now);
  END IF;
  IF recording.events THEN
    PERFORM honker.honker_stream_publish(
      'honker.events', NULL, json_build_array(honker._event(job_id, queue, task, move, run_s, wait_s))::text);
  END IF;
END $$;

-- Tells the task of a job whose settlement follows in this transaction: its worker knows it, also if the payload does
-- not say it.
CREATE OR REPLACE FUNCTION honker._know_task(job_id bigint, task text) RETURNS void LANGUAGE sql AS $$
  SELECT set_config('honker.known_task', coalesce(job_id || ' ' || task, ''), true)
$$;

CREATE OR REPLACE FUNCTION honker._known_task(job_id bigint, payload text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  known text := current_setting('honker.known_task', true);
BEGIN
  IF split_part(known, ' ', 1) = job_id::text THEN
    RETURN substr(known, length(job_id::text) + 2);
  END IF;
  RETURN honker._task_of(payload);
END $$;

-- The same for several jobs of one queue that have made the same move: one row of counters a task, and one event for
-- each thousand.
CREATE OR REPLACE FUNCTION honker._moved_many(
  job_ids bigint[], queue text, payloads text[], move text, waits_s double precision[], now bigint
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  recording record;
  tasks text[];
  sums record;
  event text;
BEGIN
  SELECT r.counters, r.events INTO recording FROM honker._recording() AS r;
  IF NOT recording.counters AND NOT recording.events THEN
    RETURN;
  END IF;
  tasks := ARRAY(SELECT honker._task_of(p.payload) FROM unnest(payloads) WITH ORDINALITY AS p(payload, place)
    ORDER BY p.place);
  IF recording.counters THEN
    FOR sums IN
      SELECT coalesce(m.task, '') AS task, count(*) AS jobs, coalesce(sum(m.wait_s), 0) AS wait_s,
        coalesce(max(m.wait_s), 0) AS wait_max_s
      FROM unnest(tasks, waits_s) AS m(task, wait_s) GROUP BY coalesce(m.task, '') ORDER BY coalesce(m.task, '')
    LOOP
      PERFORM honker._count(queue, sums.task, move, sums.jobs, NULL, sums.wait_s, sums.wait_max_s, now);
    END LOOP;
  END IF;
  IF recording.events THEN
    FOR event IN
      SELECT json_agg(honker._event(m.id, queue, m.task, move, NULL, m.wait_s) ORDER BY m.place)::text
      FROM unnest(job_ids, tasks, waits_s) WITH ORDINALITY AS m(id, task, wait_s, place)
      WHERE m.id IS NOT NULL
      GROUP BY (m.place - 1) / 1000 ORDER BY (m.place - 1) / 1000
    LOOP
      PERFORM honker.honker_stream_publish('honker.events', NULL, event);
    END LOOP;
  END IF;
END $$;

CREATE OR REPLACE FUNCTION honker._event(
  job_id bigint, queue text, task text, move text, run_s double precision, wait_s double precision
) RETURNS json LANGUAGE sql IMMUTABLE AS $$
  SELECT json_strip_nulls(json_build_object(
    'event', CASE move WHEN 'failed' THEN 'dead' ELSE move END,
    'wait_s', CASE WHEN move = 'claimed' THEN honker._real(wait_s) END,
    'id', job_id, 'queue', queue, 'task', task, 'run_s', honker._real(run_s)))
$$;
