-- The one place where jobs leave honker.live or their state; claims take them (claim.sql), keys block and promote them (keys.sql).
--
--   ack            processing         (no row)    _ack, or _end
--   retry, snooze, release            pending     _back
--   lapse          processing         pending     _back
--   fail, dead     any live one       dead        _die
--   cancel         any live one       (no row)    _end
--
-- A job with ties is read before it is moved, since other jobs may depend on where it went; a plain job pays a comparison with NULL.
-- The ties are those of the column honker.live.ties: KEYED 1, UNIQUE_FOR 2, UNTIL_STARTED 4, DEPENDENTS 8, PARENTS 16, HISTORY 32,
-- KEEP 64, PROGRESS 128, START_GIVEN 256, REQUESTED 512. A job whose worker is asked to end it never waits or dies: it is cancelled.
--
-- - *The session dies, or COMMIT fails.* All of a move is one transaction, so it is there or not.
-- - *Two sessions.* A move locks its job's key, then its row, and tests under the lock of the row that the job is where the move
--   begins. The second one finds that it is not, and changes nothing.

-- A job whose claim is held, locked; NULL if it is not held. The lease is held through the millisecond in which it ends.
CREATE OR REPLACE FUNCTION honker._held(job_id bigint, worker_id text, attempt bigint, now bigint) RETURNS honker.live
LANGUAGE plpgsql AS $$
DECLARE
  job honker.live := honker._locked(job_id, NULL);
BEGIN
  IF job.worker_id = worker_id AND (attempt IS NULL OR job.attempts = attempt) AND job.claim_expires_at >= now
      AND job.state = 'processing' THEN
    RETURN job;
  END IF;
  RETURN NULL;
END $$;

-- A live job, locked, of a queue or of any; NULL if there is none. Found by its id alone: with a state, the planner may
-- walk a partial index that was small when the plan was made.
CREATE OR REPLACE FUNCTION honker._locked(job_id bigint, queue text) RETURNS honker.live LANGUAGE plpgsql AS $$
DECLARE
  job honker.live;
BEGIN
  SELECT l.* INTO job FROM honker.live AS l WHERE l.id = job_id;
  IF job.key IS NOT NULL OR job.ties & 8 <> 0 THEN
    PERFORM honker._lock_line(job);
  END IF;
  SELECT l.* INTO job FROM honker.live AS l WHERE l.id = job_id FOR UPDATE;
  IF job.queue <> queue THEN
    RETURN NULL;
  END IF;
  RETURN job;
END $$;

-- Ends a plain job that succeeded, in one statement. False if the claim is not held, the job has ties, or moves are recorded.
CREATE OR REPLACE FUNCTION honker._ack_untied(job_id bigint, worker_id text, attempt bigint, now bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  DELETE FROM honker.live AS l
  WHERE l.id = job_id AND l.worker_id = worker_id AND (attempt IS NULL OR l.attempts = attempt)
    AND l.claim_expires_at >= now AND l.ties IS NULL
    AND NOT EXISTS (SELECT 1 FROM honker.meta AS m WHERE m.key IN ('counters', 'events') AND m.value <> 0);
  RETURN FOUND;
END $$;

-- Ends a locked job as `done` or `cancelled`, with its result, if it has one.
CREATE OR REPLACE FUNCTION honker._end(job honker.live, fate text, value text, run_s double precision, now bigint) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  IF fate = 'cancelled' AND job.ties & 64 <> 0 AND job.state = 'processing' THEN
    PERFORM honker._record_attempt(job, 'cancelled', NULL, run_s, now);
    job.ties := job.ties | 32;
  END IF;
  DELETE FROM honker.live AS l WHERE l.id = job.id;
  IF fate = 'done' AND job.ties & 2 <> 0 THEN
    PERFORM honker._keep_unique(job, now);
  END IF;
  IF honker._is_recording() THEN
    PERFORM honker._moved(job.id, job.queue, job.payload, fate, run_s, NULL, now);
  END IF;
  IF job.ties IS NOT NULL OR fate = 'cancelled' THEN
    PERFORM honker._after_leave(job, fate, value, NULL, now);
  END IF;
  IF job.key IS NOT NULL THEN
    PERFORM honker._leave_line(job, false, now);
  END IF;
END $$;

-- Makes a locked job wait again. `move` is retried, snoozed, released or lapsed. Only a retry and a lapse charge the attempt. A release
-- without a time keeps the old place, and with `is_unknown` the instant of the first such release: a later one is not trusted, it
-- was left by a clock that has been set back.
CREATE OR REPLACE FUNCTION honker._back(
  job honker.live, move text, run_at bigint, error text, run_s double precision, is_unknown boolean, now bigint
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  IF move <> 'released' THEN
    PERFORM honker._record_attempt(
      job, CASE move WHEN 'retried' THEN 'failed' WHEN 'lapsed' THEN 'lost' ELSE move END,
      CASE move WHEN 'retried' THEN error END, run_s, now);
  END IF;
  UPDATE honker.live AS l
  SET state = 'pending', worker_id = NULL, claim_expires_at = NULL, run_at = coalesce(run_at, l.run_at),
      last_error = coalesce(error, l.last_error),
      attempts = CASE WHEN move IN ('snoozed', 'released') THEN greatest(l.attempts - 1, 0) ELSE l.attempts END,
      snoozes = CASE WHEN move = 'snoozed' THEN coalesce(l.snoozes, 0) + 1 ELSE l.snoozes END,
      unknown_since = CASE WHEN is_unknown THEN coalesce(least(l.unknown_since, now), now) END,
      ties = CASE WHEN move = 'released' THEN l.ties ELSE coalesce(l.ties, 0) | 32 END
  WHERE l.id = job.id;
  IF honker._is_recording() THEN
    PERFORM honker._moved(job.id, job.queue, job.payload, move, run_s, NULL, now);
  END IF;
  IF job.ties IS NOT NULL THEN
    PERFORM honker._after_leave(job, 'back', NULL, NULL, now);
  END IF;
  IF job.key IS NOT NULL THEN
    PERFORM honker._leave_line(job, true, now);
  END IF;
END $$;

-- Makes a dead letter of a locked job. A dead letter of the same id can only come from a restored copy, and is replaced.
CREATE OR REPLACE FUNCTION honker._die(job honker.live, move text, error text, run_s double precision, now bigint) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  INSERT INTO honker.dead AS d
    (id, queue, payload, priority, run_at, worker_id, attempts, max_attempts, last_error, created_at, died_at, expires_at, key, ties,
     unique_key, unique_for, snoozes)
  VALUES (job.id, job.queue, job.payload, job.priority, job.run_at, job.worker_id, job.attempts, job.max_attempts, error,
          job.created_at, now, job.expires_at, job.key, job.ties, job.unique_key, job.unique_for, job.snoozes)
  ON CONFLICT (id) DO UPDATE SET queue = excluded.queue, payload = excluded.payload, last_error = excluded.last_error,
    died_at = excluded.died_at, key = excluded.key, ties = excluded.ties, unique_key = excluded.unique_key;
  DELETE FROM honker.live AS l WHERE l.id = job.id;
  IF honker._is_recording() THEN
    PERFORM honker._moved(job.id, job.queue, job.payload, move, run_s, NULL, now);
  END IF;
  PERFORM honker._after_leave(job, 'dead', NULL, error, now);
  IF job.key IS NOT NULL THEN
    PERFORM honker._leave_line(job, true, now);
  END IF;
END $$;

-- Makes a dead letter of a live job without an attempt that failed now: it has expired, has no attempt left, or its parent failed.
-- One in flight has lost its worker.
CREATE OR REPLACE FUNCTION honker._bury(job honker.live, error text, now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  job := honker._locked(job.id, job.queue);
  IF job.id IS NULL THEN
    RETURN;
  ELSIF job.ties & 512 <> 0 THEN
    PERFORM honker._end(job, 'cancelled', NULL, NULL, now);
    RETURN;
  END IF;
  IF job.state = 'processing' THEN
    PERFORM honker._record_attempt(job, 'lost', NULL, NULL, now);
    job.ties := coalesce(job.ties, 0) | 32;
  END IF;
  PERFORM honker._die(job, 'dead', error, NULL, now);
END $$;
