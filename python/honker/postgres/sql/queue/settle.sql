-- Settling: ending a claim.
--
-- Invariant: only the holder of the live claim settles. A claim is (id, worker, attempt): the worker's name alone does not fence,
-- because a restarted worker may have the name of the one that died. Each move tests the claim under the lock of the row.

-- Ends a job that succeeded. True if the claim was held.
CREATE OR REPLACE FUNCTION honker._ack(
  job_id bigint, worker_id text, attempt bigint, value text, run_s double precision, now bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  job honker.live;
BEGIN
  IF honker._ack_untied(job_id, worker_id, attempt, now) THEN
    RETURN true;
  END IF;
  job := honker._held(job_id, worker_id, attempt, now);
  IF job.id IS NULL THEN
    RETURN false;
  END IF;
  PERFORM honker._end(job, 'done', value, run_s, now);
  RETURN true;
END $$;

-- Makes a job wait for its next attempt, or dead-letters it after its last one. True if the claim was held.
CREATE OR REPLACE FUNCTION honker._retry(
  job_id bigint, worker_id text, attempt bigint, delay bigint, error text, run_s double precision, now bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  job honker.live := honker._held(job_id, worker_id, attempt, now);
BEGIN
  IF job.id IS NULL THEN
    RETURN false;
  ELSIF job.ties & 512 <> 0 THEN
    PERFORM honker._end(job, 'cancelled', NULL, run_s, now);
  ELSIF job.attempts < job.max_attempts THEN
    PERFORM honker._back(job, 'retried', now + delay, error, run_s, false, now);
  ELSE
    PERFORM honker._fail_held(job, error, run_s, now);
  END IF;
  RETURN true;
END $$;

-- Dead-letters a job that must not run again. True if the claim was held.
CREATE OR REPLACE FUNCTION honker._fail_claim(
  job_id bigint, worker_id text, attempt bigint, error text, run_s double precision, now bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  job honker.live := honker._held(job_id, worker_id, attempt, now);
BEGIN
  IF job.id IS NULL THEN
    RETURN false;
  ELSIF job.ties & 512 <> 0 THEN
    PERFORM honker._end(job, 'cancelled', NULL, run_s, now);
  ELSE
    PERFORM honker._fail_held(job, error, run_s, now);
  END IF;
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION honker._fail_held(job honker.live, error text, run_s double precision, now bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM honker._record_attempt(job, 'failed', error, run_s, now);
  job.ties := coalesce(job.ties, 0) | 32;
  PERFORM honker._die(job, 'failed', error, run_s, now);
END $$;

-- Gives a claim back as if it had never been made. True if the claim was held.
--
-- The next claim gets the same attempt number again. So the caller must not settle the job later: a worker of the same name may
-- have claimed it since, and the attempt does not tell the two apart.
CREATE OR REPLACE FUNCTION honker._release(
  job_id bigint, worker_id text, attempt bigint, delay bigint, error text, is_unknown boolean, now bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  job honker.live := honker._held(job_id, worker_id, attempt, now);
BEGIN
  IF job.id IS NULL THEN
    RETURN false;
  ELSIF job.ties & 512 <> 0 THEN
    PERFORM honker._end(job, 'cancelled', NULL, NULL, now);
  ELSE
    PERFORM honker._back(job, 'released', CASE WHEN delay > 0 THEN now + delay END, error, NULL, is_unknown, now);
  END IF;
  RETURN true;
END $$;

-- Gives a claim back to wait for a delay, uncharged. `hold` (queue, key) pauses the queue, or the key of the job, as long. True if the
-- claim was held.
CREATE OR REPLACE FUNCTION honker._snooze(
  job_id bigint, worker_id text, attempt bigint, delay bigint, error text, hold text, run_s double precision, now bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  job honker.live;
BEGIN
  IF hold IS NOT NULL THEN
    -- The lock of the queue comes before that of a key.
    SELECT l.* INTO job FROM honker.live AS l WHERE l.id = job_id;
    PERFORM honker._lock_queue(job.queue);
  END IF;
  job := honker._held(job_id, worker_id, attempt, now);
  IF job.id IS NULL THEN
    RETURN false;
  ELSIF job.ties & 512 <> 0 THEN
    PERFORM honker._end(job, 'cancelled', NULL, run_s, now);
  ELSE
    PERFORM honker._back(job, 'snoozed', now + delay, error, run_s, false, now);
    IF hold IS NOT NULL THEN
      PERFORM honker._hold(job, hold, now + delay, now);
    END IF;
  END IF;
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_ack(job_id bigint, worker_id text, attempt bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  now bigint := honker._now();
BEGIN
  IF octet_length(worker_id) <= 255 AND honker._ack_untied(job_id, worker_id, attempt, now) THEN
    PERFORM honker._announce();
    RETURN 1;
  END IF;
  RETURN honker._announced(honker._ack(honker._job_id(job_id), honker._name(worker_id, 'worker_id'), attempt, NULL, NULL, now));
END $$;

CREATE OR REPLACE FUNCTION honker.honker_retry(
  job_id bigint, worker_id text, delay_s double precision, error text, attempt bigint DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  delay bigint := honker._span_from_zero(delay_s, 'delay_s');
BEGIN
  PERFORM honker._text(coalesce(error, ''), 'error');
  RETURN honker._announced(honker._retry(
    honker._job_id(job_id), honker._name(worker_id, 'worker_id'), attempt, delay, coalesce(error, ''), NULL, honker._now()));
END $$;

CREATE OR REPLACE FUNCTION honker.honker_fail(job_id bigint, worker_id text, error text, attempt bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
  PERFORM honker._text(coalesce(error, ''), 'error');
  RETURN honker._announced(honker._fail_claim(
    honker._job_id(job_id), honker._name(worker_id, 'worker_id'), attempt, coalesce(error, ''), NULL, honker._now()));
END $$;

CREATE OR REPLACE FUNCTION honker.honker_release(
  job_id bigint, worker_id text, attempt bigint DEFAULT NULL, delay_s double precision DEFAULT NULL, is_unknown bigint DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  delay bigint := CASE WHEN delay_s IS NOT NULL THEN honker._span_from_zero(delay_s, 'delay_s') END;
BEGIN
  RETURN honker._announced(honker._release(
    honker._job_id(job_id), honker._name(worker_id, 'worker_id'), attempt, delay, NULL, coalesce(is_unknown <> 0, false),
    honker._now()));
END $$;

CREATE OR REPLACE FUNCTION honker.honker_snooze(
  job_id bigint, worker_id text, delay_s double precision, attempt bigint DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  delay bigint := honker._span_from_zero(delay_s, 'delay_s');
BEGIN
  RETURN honker._announced(honker._snooze(
    honker._job_id(job_id), honker._name(worker_id, 'worker_id'), attempt, delay, NULL, NULL, NULL, honker._now()));
END $$;

CREATE OR REPLACE FUNCTION honker._job_id(job_id bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF job_id IS NULL THEN
    PERFORM honker._invalid('job_id', 'must be INTEGER, and is NULL');
  END IF;
  RETURN job_id;
END $$;

-- A boolean as a result. Waiters are woken if something has changed.
CREATE OR REPLACE FUNCTION honker._announced(has_changed boolean) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  IF has_changed THEN
    PERFORM honker._announce();
  END IF;
  RETURN has_changed::integer;
END $$;
