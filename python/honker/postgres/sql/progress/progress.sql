-- The progress of jobs at work, as their handlers tell it.
--
-- Invariant: a job has a row in honker.progress only if its live row has the tie PROGRESS (128), so the move by which
-- it leaves its worker forgets it. A report locks the row of the job and is written only if the claim is held: a late
-- handler does not report for the next one, and a job that is settled at the same time leaves no progress behind.

CREATE OR REPLACE FUNCTION honker.honker_progress(
  job_id bigint, worker_id text, done double precision, total double precision DEFAULT NULL, note text DEFAULT NULL,
  attempt bigint DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  ties bigint;
BEGIN
  PERFORM honker._integer(job_id, 'job_id', -9223372036854775808, 9223372036854775807);
  PERFORM honker._name(worker_id, 'worker_id');
  PERFORM honker._number_from_zero(done, 'done', 1e15);
  IF total IS NOT NULL THEN
    PERFORM honker._positive_number(total, 'total', 1e15);
  END IF;
  IF octet_length(note) > 1000 THEN
    PERFORM honker._invalid('note', format('has %s bytes; up to 1000 are allowed', octet_length(note)));
  END IF;
  SELECT coalesce(l.ties, 0) INTO ties FROM honker.live AS l
  WHERE l.id = job_id AND l.worker_id = worker_id AND (attempt IS NULL OR l.attempts = attempt)
    AND l.claim_expires_at >= now AND l.state = 'processing'
  FOR UPDATE;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  IF ties & 128 = 0 THEN
    UPDATE honker.live AS l SET ties = ties | 128 WHERE l.id = job_id;
  END IF;
  INSERT INTO honker.progress AS p (job_id, done, total, note, updated_at)
  VALUES (job_id, done, coalesce(total, 1), note, now)
  ON CONFLICT ON CONSTRAINT progress_pkey
  DO UPDATE SET done = excluded.done, total = excluded.total, note = excluded.note, updated_at = excluded.updated_at;
  PERFORM honker._announce();
  RETURN 1;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_progress_get(job_id bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  PERFORM honker._integer(job_id, 'job_id', -9223372036854775808, 9223372036854775807);
  RETURN (
    SELECT json_build_object('done', honker._number(p.done), 'total', honker._number(p.total), 'note', p.note,
                             'updated_at', honker._seconds(p.updated_at))::text
    FROM honker.progress AS p WHERE p.job_id = job_id
  );
END $$;

CREATE OR REPLACE FUNCTION honker._forget_progress(job_id bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  DELETE FROM honker.progress AS p WHERE p.job_id = job_id;
END $$;
