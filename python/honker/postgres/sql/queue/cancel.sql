-- Cancelling jobs, and asking for the end of a job that runs.
--
-- Invariant: a job with a request ends at its next move: by its ack, which wins, or as cancelled. The request sets the tie REQUESTED
-- (512), so that no statement for plain jobs moves it, and each move from `processing` that reads the ties ends it.
--
-- - *The process of the holder dies*: the lease lapses, and the claim that finds it cancels the job instead of putting it back.
-- - *Request and ack at once*: both lock the row. After the ack there is none, and the request returns `gone`; after the request the
--   ack ends the job as done.

-- Removes a job. True if there was one. A handler that runs it is not interrupted; its claim is lost.
CREATE OR REPLACE FUNCTION honker._cancel(job_id bigint, queue text, now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  job honker.live := honker._locked(job_id, queue);
BEGIN
  IF job.id IS NULL THEN
    RETURN false;
  END IF;
  PERFORM honker._end(job, 'cancelled', NULL, NULL, now);
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION honker._request_cancel(job_id bigint, queue text, now bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  job honker.live := honker._locked(job_id, queue);
BEGIN
  IF job.id IS NULL THEN
    RETURN 'gone';
  ELSIF job.state = 'processing' AND job.claim_expires_at >= now THEN
    -- The first request stays.
    UPDATE honker.live AS l SET cancel_requested_at = coalesce(l.cancel_requested_at, now), ties = coalesce(l.ties, 0) | 512
    WHERE l.id = job.id;
    -- In any case: workers whose slots are all taken have no commits announced, and must hear of this one.
    PERFORM pg_notify('honker', '');
    RETURN 'requested';
  END IF;
  PERFORM honker._end(job, 'cancelled', NULL, NULL, now);
  RETURN 'cancelled';
END $$;

CREATE OR REPLACE FUNCTION honker._cancel_held(
  job_id bigint, worker_id text, attempt bigint, run_s double precision, now bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  job honker.live := honker._held(job_id, worker_id, attempt, now);
BEGIN
  IF job.id IS NULL THEN
    RETURN false;
  END IF;
  PERFORM honker._end(job, 'cancelled', NULL, run_s, now);
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_cancel(job_id bigint, queue text DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
  RETURN honker._announced(honker._cancel(honker._job_id(job_id), honker._queue_or_any(queue), honker._now()));
END $$;

CREATE OR REPLACE FUNCTION honker.honker_cancel(queue text, job_id bigint) RETURNS bigint LANGUAGE sql AS $$
  SELECT honker.honker_cancel(job_id, queue)
$$;

CREATE OR REPLACE FUNCTION honker.honker_cancel_request(job_id bigint, queue text DEFAULT NULL) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  outcome text := honker._request_cancel(honker._job_id(job_id), honker._queue_or_any(queue), honker._now());
BEGIN
  PERFORM honker._announced(outcome <> 'gone');
  RETURN outcome;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_cancel_request(queue text, job_id bigint) RETURNS text LANGUAGE sql AS $$
  SELECT honker.honker_cancel_request(job_id, queue)
$$;

CREATE OR REPLACE FUNCTION honker.honker_cancel_held(job_id bigint, worker_id text, attempt bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
  RETURN honker._announced(honker._cancel_held(
    honker._job_id(job_id), honker._name(worker_id, 'worker_id'), attempt, NULL, honker._now()));
END $$;

-- The ids, among these claims, of jobs that are asked to end, and of claims that are not held any more. Reads only.
CREATE OR REPLACE FUNCTION honker.honker_cancel_requests(claims_json text, worker_id text) RETURNS text LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  claims honker.claim[] := honker._claims(claims_json);
BEGIN
  PERFORM honker._name(worker_id, 'worker_id');
  RETURN (
    SELECT coalesce(json_agg(c.id ORDER BY c.place), '[]')::text
    FROM unnest(claims) WITH ORDINALITY AS c (id, attempt, place)
    WHERE NOT EXISTS (
      SELECT 1 FROM honker.live AS l
      WHERE l.id = c.id AND l.worker_id = worker_id AND l.attempts = c.attempt AND l.claim_expires_at >= now
        AND l.state = 'processing' AND l.cancel_requested_at IS NULL));
END $$;

CREATE OR REPLACE FUNCTION honker._queue_or_any(queue text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN CASE WHEN queue IS NOT NULL THEN honker._name(queue, 'queue') END;
END $$;
