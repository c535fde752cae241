-- Unique jobs: one job of a unique key at a time in a queue.
--
-- Invariant: a partial unique index holds at most one live job for each (queue, unique key). A session that inserts while another
-- one has inserted the same key, and not committed, waits in the index for its end.
--
-- - *The session dies.* Its transaction is undone, so the key is free, or belongs to the job that had it.
-- - *A job ends while it is looked for.* The row of a kept key is written in the transaction that deletes the job. The insert
--   comes after the look at the job, and the look at kept keys is made again after the insert: an end in between is found.
-- - *The clock jumps.* Ahead: kept keys end early. Back: a kept key that would stay taken for longer than its span is cut down to
--   that span by the first enqueue that meets it, and is free at once beyond twice the span.
--
-- A job has started when an attempt was charged, so one between two attempts is not replaced: it may have done half of its work
-- with the old payload.

-- Decides about a new job, and makes the change to the existing one that the decision needs. Neither id: add it.
CREATE OR REPLACE FUNCTION honker._resolve(job honker.live, flow honker.flow, has_start boolean, now bigint)
RETURNS honker.resolution LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  holder honker.live;
BEGIN
  SELECT l.* INTO holder FROM honker.live AS l WHERE l.queue = job.queue AND l.unique_key = job.unique_key;
  IF holder.id IS NOT NULL AND flow.on_conflict IN ('replace', 'rerun') THEN
    holder := honker._locked_holder(holder);
    IF holder.id IS NULL THEN
      -- It has ended, or has given up its key.
      RETURN honker._resolve(job, flow, has_start, now);
    END IF;
  END IF;
  IF holder.id IS NULL THEN
    holder.id := honker._kept(job.queue, job.unique_key, now);
    IF holder.id IS NULL THEN
      RETURN NULL;
    END IF;
    holder.state := 'kept';
  END IF;
  IF flow.on_conflict = 'raise' THEN
    PERFORM honker._key_taken(job.queue, job.unique_key, holder.id);
  ELSIF holder.state = 'kept' OR flow.on_conflict = 'existing' THEN
    RETURN ROW(holder.id, NULL)::honker.resolution;
  ELSIF flow.on_conflict = 'replace' AND holder.attempts = 0 AND holder.state IN ('pending', 'blocked', 'waiting') THEN
    PERFORM honker._replace(holder, job, honker._debounced(job.run_at, flow, has_start, holder.created_at, now), now);
  ELSIF flow.debounce IS NOT NULL OR (flow.on_conflict = 'rerun' AND holder.state = 'processing') THEN
    -- A debounced event: the job may have read its data before it.
    UPDATE honker.live AS l SET unique_key = NULL WHERE l.id = holder.id;
    RETURN ROW(NULL, holder.id)::honker.resolution;
  END IF;
  RETURN ROW(holder.id, NULL)::honker.resolution;
END $$;

-- The job that has a unique key, locked, its own key first; NULL if it has the unique key no more.
CREATE OR REPLACE FUNCTION honker._locked_holder(holder honker.live) RETURNS honker.live LANGUAGE plpgsql AS $$
DECLARE
  locked honker.live;
BEGIN
  IF holder.key IS NOT NULL THEN
    PERFORM honker._lock_key(holder.queue, holder.key);
  END IF;
  SELECT l.* INTO locked FROM honker.live AS l
  WHERE l.id = holder.id AND l.queue = holder.queue AND l.unique_key = holder.unique_key FOR UPDATE;
  RETURN locked;
END $$;

CREATE OR REPLACE FUNCTION honker._key_taken(queue text, unique_key text, job_id bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM honker._fail('HONKER_UNIQUE_KEY_TAKEN', format(
    'unique_key "%s" of queue "%s" is taken by job %s; wait until it is free, cancel that job, or give on_conflict "existing"',
    unique_key, queue, job_id));
END $$;

-- Gives a job that has not started the contents of a later one. It keeps its id, its key, its ties and its creation. A blocked job
-- keeps its place in the line of its key, unless it is not due any more; one whose start the rate of its key has given (START_GIVEN)
-- does not start before.
CREATE OR REPLACE FUNCTION honker._replace(holder honker.live, job honker.live, run_at bigint, now bigint) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  UPDATE honker.live AS l
  SET payload = job.payload, priority = job.priority, max_attempts = job.max_attempts, expires_at = job.expires_at,
      last_error = NULL, unknown_since = NULL,
      state = CASE WHEN l.state = 'blocked' AND run_at > now THEN 'pending' ELSE l.state END,
      run_at = CASE WHEN l.state = 'blocked' AND run_at <= now THEN l.created_at
                    WHEN l.ties & 256 <> 0 THEN greatest(l.run_at, run_at)
                    ELSE run_at END
  WHERE l.id = holder.id;
  IF holder.key IS NOT NULL THEN
    -- It may have left the line of its key, or moved in it.
    PERFORM honker._promote(holder.queue, holder.key, now);
  END IF;
END $$;

-- The start of a job; one that is debounced waits for the quiet after it, up to `debounce_max` from the first event.
CREATE OR REPLACE FUNCTION honker._debounced(run_at bigint, flow honker.flow, has_start boolean, first_at bigint, now bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN (flow).debounce IS NULL THEN run_at
    ELSE greatest(least(now + (flow).debounce, first_at + (flow).debounce_max), CASE WHEN has_start THEN run_at END)
  END
$$;

-- Keeps the unique key of a job taken that succeeds, and deletes a few that are free again.
CREATE OR REPLACE FUNCTION honker._keep_unique(job honker.live, now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  DELETE FROM honker.unique_keys AS u USING (
    SELECT e.queue, e.unique_key FROM honker.unique_keys AS e WHERE e.expires_at <= now
    ORDER BY e.expires_at LIMIT 4 FOR UPDATE SKIP LOCKED
  ) AS over
  WHERE u.queue = over.queue AND u.unique_key = over.unique_key;
  -- A job whose key has gone to another one leaves nothing behind.
  IF job.unique_key IS NOT NULL AND job.unique_for IS NOT NULL THEN
    INSERT INTO honker.unique_keys AS u (queue, unique_key, job_id, expires_at, unique_for)
    VALUES (job.queue, job.unique_key, job.id, now + job.unique_for, job.unique_for)
    ON CONFLICT ON CONSTRAINT unique_keys_key DO UPDATE
    SET job_id = excluded.job_id, expires_at = excluded.expires_at, unique_for = excluded.unique_for;
  END IF;
END $$;

-- The job that has succeeded and keeps a unique key taken. A row that does so no more is deleted.
CREATE OR REPLACE FUNCTION honker._kept(queue text, unique_key text, now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  kept honker.unique_keys;
BEGIN
  SELECT u.* INTO kept FROM honker.unique_keys AS u WHERE u.queue = queue AND u.unique_key = unique_key;
  IF NOT FOUND THEN
    RETURN NULL;
  ELSIF kept.expires_at <= now OR kept.expires_at - now > 2 * kept.unique_for THEN
    DELETE FROM honker.unique_keys AS u
    WHERE u.queue = queue AND u.unique_key = unique_key AND u.expires_at = kept.expires_at;
    RETURN NULL;
  ELSIF kept.expires_at - now > kept.unique_for THEN
    UPDATE honker.unique_keys AS u SET expires_at = now + kept.unique_for
    WHERE u.queue = queue AND u.unique_key = unique_key AND u.expires_at = kept.expires_at;
  END IF;
  RETURN kept.job_id;
END $$;
