-- Dead letters that wait again.

-- Copies a dead letter to the live jobs, with its attempts before it again, and removes it. An expiry that has passed
-- is dropped. False, and nothing done, if another live job has its unique key, or its id.
--
-- The letter is locked by the caller. Another session that takes the unique key at the same time is waited for, and
-- then has it.
CREATE OR REPLACE FUNCTION honker._restore(
  letter honker.dead, state text, waiting_for bigint, run_at bigint, now bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  IF honker._unique_holder(letter.queue, letter.unique_key, now) IS NOT NULL THEN
    RETURN false;
  END IF;
  INSERT INTO honker.live AS l (
    id, queue, payload, state, priority, run_at, max_attempts, created_at, expires_at, last_error, key, ties,
    unique_key, unique_for, waiting_for, snoozes)
  VALUES (
    letter.id, letter.queue, letter.payload, state, letter.priority, run_at, greatest(letter.max_attempts, 1),
    letter.created_at,
    CASE WHEN letter.expires_at > now THEN letter.expires_at END, letter.last_error, letter.key, letter.ties,
    letter.unique_key, letter.unique_for, waiting_for, letter.snoozes)
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  DELETE FROM honker.dead AS d WHERE d.id = letter.id;
  PERFORM honker._moved(letter.id, letter.queue, letter.payload, 'requeued', NULL, NULL, now);
  RETURN true;
END $$;

-- The job that has a unique key of a queue: a live one, or one that has succeeded and keeps the key taken.
CREATE OR REPLACE FUNCTION honker._unique_holder(queue text, unique_key text, now bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  IF unique_key IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN coalesce(
    (SELECT l.id FROM honker.live AS l WHERE l.queue = queue AND l.unique_key = unique_key),
    honker._kept(queue, unique_key, now));
END $$;

CREATE OR REPLACE FUNCTION honker.honker_requeue(job_id bigint, queue text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
BEGIN
  PERFORM honker._job_id(job_id);
  PERFORM honker._queue_or_any(queue);
  PERFORM honker._check_writer();
  RETURN honker._announced(honker._requeue(job_id, queue, now));
END $$;

CREATE OR REPLACE FUNCTION honker.honker_requeue(queue text, job_id bigint) RETURNS bigint LANGUAGE sql AS $$
  SELECT honker.honker_requeue(job_id, queue)
$$;

-- Puts a dead letter, of a queue or of any, back among the waiting jobs. True if there was one. Two sessions that
-- requeue it at once: the second waits for the first, and finds none.
CREATE OR REPLACE FUNCTION honker._requeue(job_id bigint, queue text, now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  letter honker.dead;
BEGIN
  SELECT d.* INTO letter FROM honker.dead AS d WHERE d.id = job_id AND d.key IS NOT NULL;
  IF FOUND THEN
    -- As everywhere, the key comes before the row.
    PERFORM honker._lock_key(letter.queue, letter.key);
  END IF;
  SELECT d.* INTO letter FROM honker.dead AS d WHERE d.id = job_id AND (queue IS NULL OR d.queue = queue) FOR UPDATE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF NOT honker._restore(letter, 'pending', NULL, now, now) THEN
    PERFORM honker._fail('HONKER_UNIQUE_KEY_TAKEN', format(
      'unique_key "%s" of queue "%s" is taken by job %s; wait until it is free, or cancel that job',
      letter.unique_key, letter.queue, honker._unique_holder(letter.queue, letter.unique_key, now)));
  END IF;
  IF letter.key IS NOT NULL THEN
    PERFORM honker._enter(job_id, now);
  END IF;
  IF letter.ties & 16 <> 0 THEN
    PERFORM honker._detach(job_id);
  END IF;
  IF letter.ties & 8 <> 0 THEN
    PERFORM honker._revive_children(job_id, now);
  END IF;
  RETURN true;
END $$;
