-- Verbs for many jobs: those of a list, or all that match a filter, a bounded number in one transaction.
--
-- The jobs are moved from the greatest id downwards, so that a job is cancelled before the parents whose end would make
-- it a dead letter. Their keys and rows are locked before the first of them moves, in the order in which all others
-- lock them: the keys, then rows by id. A job that another session has moved since it was found is refused with the
-- reason.

CREATE OR REPLACE FUNCTION honker.honker_jobs_apply(verb text, filter_json text, after bigint, n bigint) RETURNS text
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  filter honker.job_filter;
  walked record;
  refusals text[] := '{}';
  refusal text;
  id bigint;
  missing bigint := 0;
BEGIN
  PERFORM honker._verb(verb);
  filter := honker._filter(filter_json);
  PERFORM honker._integer(n, 'n', 1, 500);
  walked := honker._matching(verb, filter, after, n, now);
  -- Of a list of ids those are told that do not match, by a call that sees the whole list.
  IF filter.named IS NOT NULL AND after IS NULL AND walked.next IS NULL THEN
    missing := filter.named - cardinality(walked.ids);
  END IF;
  IF cardinality(walked.ids) > 0 THEN
    PERFORM honker._check_writer();
    PERFORM honker._lock_jobs(walked.ids);
    FOREACH id IN ARRAY walked.ids LOOP
      refusal := honker._apply_one(verb, id, now);
      refusals := refusals || refusal;
    END LOOP;
    PERFORM honker._announced(array_position(refusals, NULL) IS NOT NULL);
  END IF;
  refusals := refusals || array_fill('no such job'::text, ARRAY[missing::integer]);
  RETURN json_build_object(
    'done', (SELECT count(*) FROM unnest(refusals) AS r WHERE r IS NULL),
    'skipped', cardinality(array_remove(refusals, NULL)),
    'reasons', (SELECT coalesce(json_object_agg(r.reason, r.count ORDER BY r.reason), '{}') FROM (
      SELECT u.reason, count(*) AS count FROM unnest(refusals) AS u (reason)
      WHERE u.reason IS NOT NULL GROUP BY u.reason) AS r),
    'next', walked.next, 'is_complete', walked.is_complete)::text;
END $$;

CREATE OR REPLACE FUNCTION honker._verb(verb text) RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  PERFORM honker._text(verb, 'verb');
  IF verb NOT IN ('requeue', 'cancel', 'delete', 'run_now') THEN
    PERFORM honker._invalid('verb', format('is "%s"; the verbs are requeue, cancel, delete, run_now', verb));
  END IF;
END $$;

-- The jobs that a call is applied to. A filter without a state and ids finds those that the verb is for.
CREATE OR REPLACE FUNCTION honker._matching(verb text, filter honker.job_filter, after bigint, n bigint, now bigint)
RETURNS record
LANGUAGE plpgsql STABLE AS $$
DECLARE
  tables text[] := honker._tables_of(filter);
BEGIN
  IF filter.state IS NULL AND filter.named IS NULL THEN
    CASE verb
      WHEN 'requeue' THEN tables := ARRAY['dead'];
      WHEN 'run_now' THEN
        tables := ARRAY['live'];
        filter.state := 'delayed';
      WHEN 'cancel' THEN tables := ARRAY['live'];
      WHEN 'delete' THEN tables := ARRAY['dead', 'finished'];
    END CASE;
  END IF;
  RETURN honker._walk(filter, tables, after, n, now);
END $$;

-- Locks jobs, and the children that their end may move.
CREATE OR REPLACE FUNCTION honker._lock_jobs(ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  PERFORM pg_advisory_xact_lock(1752133741, n.number) FROM (
    SELECT DISTINCT honker._key_number(j.queue, j.key) AS number
    FROM (
      SELECT l.queue, l.key FROM honker.live AS l WHERE l.id = ANY (ids)
      UNION ALL
      SELECT d.queue, d.key FROM honker.dead AS d WHERE d.id = ANY (ids)
    ) AS j JOIN honker.queues AS q ON q.name = j.queue
    WHERE j.key IS NOT NULL
    ORDER BY number
  ) AS n;
  PERFORM 1 FROM honker.live AS l WHERE l.id = ANY (ids) ORDER BY l.id FOR UPDATE;
  PERFORM 1 FROM honker.dead AS d WHERE d.id = ANY (ids) ORDER BY d.id FOR UPDATE;
  PERFORM honker._lock_children(ids);
END $$;

-- Applies the verb to one job; the reason if it is refused.
CREATE OR REPLACE FUNCTION honker._apply_one(verb text, job_id bigint, now bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN CASE verb
    WHEN 'requeue' THEN honker._requeue_or_refuse(job_id, now)
    WHEN 'cancel' THEN honker._cancel_or_refuse(job_id, now)
    WHEN 'delete' THEN CASE WHEN NOT honker._delete_ended(job_id, now) THEN 'has not ended' END
    WHEN 'run_now' THEN honker._run_now(job_id, now)
  END;
END $$;

-- A unique key that another job has undoes this requeue, and not those of the other jobs.
CREATE OR REPLACE FUNCTION honker._requeue_or_refuse(job_id bigint, now bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN CASE WHEN NOT honker._requeue(job_id, NULL, now) THEN 'is no dead letter' END;
EXCEPTION WHEN SQLSTATE 'HK005' THEN
  RETURN 'unique key is taken';
END $$;

CREATE OR REPLACE FUNCTION honker._cancel_or_refuse(job_id bigint, now bigint) RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  was_asked boolean := EXISTS (
    SELECT 1 FROM honker.live AS l
    WHERE l.id = job_id AND l.state = 'processing' AND l.claim_expires_at >= now AND l.cancel_requested_at IS NOT NULL);
  outcome text := honker._request_cancel(job_id, NULL, now);
BEGIN
  RETURN CASE WHEN outcome = 'gone' THEN 'has ended' WHEN was_asked THEN 'was asked to end already' END;
END $$;

-- Forgets a dead letter or a finished job. Jobs that wait for the requeue of a dead letter die of its failure. True if
-- there was one.
CREATE OR REPLACE FUNCTION honker._delete_ended(job_id bigint, now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  letter honker.dead;
  head honker.live;
BEGIN
  DELETE FROM honker.dead AS d WHERE d.id = job_id RETURNING d.* INTO letter;
  IF FOUND THEN
    PERFORM honker._forget_letter(letter, now);
    IF letter.key IS NOT NULL THEN
      head.id := letter.id;
      head.queue := letter.queue;
      head.key := letter.key;
      PERFORM honker._leave_line(head, false, now);
    END IF;
    RETURN true;
  END IF;
  DELETE FROM honker.finished AS f WHERE f.id = job_id;
  IF FOUND THEN
    PERFORM honker._forget_attempts(job_id);
    RETURN true;
  END IF;
  RETURN false;
END $$;

-- Makes a delayed job due, at the place in the line of its key that this gives it; the reason if it is refused. The tie
-- is START_GIVEN (256).
CREATE OR REPLACE FUNCTION honker._run_now(job_id bigint, now bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  job honker.live := honker._locked(job_id, NULL);
  refusal text := CASE
    WHEN job.id IS NULL THEN 'has ended'
    WHEN job.state = 'processing' THEN 'is running'
    WHEN job.state = 'blocked' THEN 'blocked by its key'
    WHEN job.state = 'waiting' THEN 'waits for its parents'
    WHEN job.state <> 'pending' THEN 'held back by another program'
    WHEN job.run_at <= now THEN 'is due already'
    WHEN job.ties & 256 <> 0 THEN 'the rate of its key has set its start'
  END;
BEGIN
  IF refusal IS NULL THEN
    UPDATE honker.live AS l SET run_at = now WHERE l.id = job.id;
    IF job.key IS NOT NULL THEN
      PERFORM honker._enter(job.id, now);
    END IF;
  END IF;
  RETURN refusal;
END $$;
