-- The history of a job: its attempts that did not end in success, bounded.
--
-- Invariant: a job has rows in honker.attempts only if its row, live or dead, has the tie HISTORY (32), or its id is
-- among the finished jobs. So the move that removes the job finds them. Row and tie are written in the transaction that
-- ends the attempt, under the lock of the job's row.
--
-- The first 5 attempts of a job are kept and the last 15; numbers go on over the gap. A run of snoozes is one row,
-- which its next snooze changes. A clock that is set back dates an attempt before the one before it; the order is that
-- of the numbers.

-- Records an attempt of a job in flight: failed, lost, snoozed or cancelled. Nothing for a job that is not. The tie is
-- added to the live row if that is still there; a caller that writes the row itself adds it there.
CREATE OR REPLACE FUNCTION honker._record_attempt(
  job honker.live, outcome text, error text, run_s double precision, now bigint)
RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  last record;
BEGIN
  IF job.state <> 'processing' THEN
    RETURN;
  END IF;
  SELECT a.number, a.outcome INTO last FROM honker.attempts AS a WHERE a.job_id = job.id ORDER BY a.number DESC LIMIT 1;
  IF outcome = 'snoozed' AND last.outcome = 'snoozed' THEN
    UPDATE honker.attempts AS a SET ended_at = now, run_s = run_s, worker_id = job.worker_id
    WHERE a.job_id = job.id AND a.number = last.number;
    RETURN;
  END IF;
  INSERT INTO honker.attempts (job_id, number, attempt, outcome, worker_id, ended_at, run_s, error)
  VALUES (job.id, coalesce(last.number, 0) + 1, job.attempts, outcome, job.worker_id, now, run_s,
          honker._cut(error, 8192));
  IF last.number >= 20 THEN
    DELETE FROM honker.attempts AS a WHERE a.job_id = job.id AND a.number > 5 AND a.number <= last.number + 1 - 15;
  END IF;
  IF coalesce(job.ties, 0) & 32 = 0 THEN
    UPDATE honker.live AS l SET ties = coalesce(l.ties, 0) | 32 WHERE l.id = job.id AND coalesce(l.ties, 0) & 32 = 0;
  END IF;
END $$;

-- The beginning of a text, up to the end of a character.
CREATE OR REPLACE FUNCTION honker._cut(whole text, most_bytes integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  most_characters integer := most_bytes;
BEGIN
  IF octet_length(whole) <= most_bytes THEN
    RETURN whole;
  END IF;
  -- Each round takes away at least the characters that are surely too many.
  WHILE octet_length(left(whole, most_characters)) > most_bytes LOOP
    most_characters := most_characters - greatest((octet_length(left(whole, most_characters)) - most_bytes) / 4, 1);
  END LOOP;
  RETURN left(whole, most_characters);
END $$;

CREATE OR REPLACE FUNCTION honker._forget_attempts(job_id bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  DELETE FROM honker.attempts AS a WHERE a.job_id = job_id;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_job_attempts(job_id bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  PERFORM honker._integer(job_id, 'job_id', -9223372036854775808, 9223372036854775807);
  RETURN (
    SELECT coalesce(json_agg(json_build_object(
      'number', a.number, 'attempt', a.attempt, 'outcome', a.outcome, 'worker_id', a.worker_id,
      'ended_at', honker._seconds(a.ended_at), 'run_s', honker._real(a.run_s), 'error', a.error
    ) ORDER BY a.number), '[]')::text
    FROM honker.attempts AS a WHERE a.job_id = job_id
  );
END $$;
