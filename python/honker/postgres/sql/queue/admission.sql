-- Adding jobs that stand in a relation to others: of one key, unique, or after other jobs.
--
-- The job, its edges and the marks on its parents are of one transaction. The key of a job without parents is locked
-- from the look at its line to the commit: an exit of the key waits for that, and then finds the job if it was blocked.
-- The rows of parents are locked by honker._depend.
--
-- A change of the settings that commits in between is not seen: a job may be blocked under a limit that has just been
-- dropped. A claim that finds nothing rescues it (honker._rescue).

CREATE OR REPLACE FUNCTION honker._admit(job honker.live, flow honker.flow, has_start boolean, now bigint) RETURNS honker.added
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  found_job honker.resolution;
BEGIN
  PERFORM honker._check_writer();
  job.key := flow.key;
  job.unique_key := flow.unique_key;
  job.unique_for := flow.unique_for;
  -- KEYED, UNIQUE_FOR, UNTIL_STARTED.
  job.ties := nullif((flow.key IS NOT NULL)::integer + 2 * (flow.unique_for IS NOT NULL)::integer
                     + 4 * coalesce(flow.until_started, false)::integer, 0);
  -- A round fails if another session has taken the unique key since it was looked for. The next one sees its job.
  LOOP
    IF job.unique_key IS NOT NULL THEN
      found_job := honker._resolve(job, flow, has_start, now);
      IF found_job.existing IS NOT NULL THEN
        RETURN ROW(found_job.existing, true)::honker.added;
      END IF;
    END IF;
    job.id := honker._add(job, flow, has_start, found_job.runs_after, now);
    IF job.id IS NOT NULL THEN
      RETURN ROW(job.id, false)::honker.added;
    END IF;
  END LOOP;
END $$;

-- Inserts a job; NULL, and nothing is done, if its unique key was taken.
CREATE OR REPLACE FUNCTION honker._add(job honker.live, flow honker.flow, has_start boolean, runs_after bigint, now bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  parents bigint[] := array_remove(flow.after, runs_after);
  has_parents boolean := runs_after IS NOT NULL OR cardinality(parents) > 0;
BEGIN
  job.run_at := honker._debounced(job.run_at, flow, has_start, now, now);
  IF has_parents THEN
    job.ties := coalesce(job.ties, 0) | 16;
  END IF;
  job.state := honker._state_at_start(job, has_parents, now);
  INSERT INTO honker.live AS l
    (queue, payload, state, priority, run_at, max_attempts, created_at, expires_at, key, ties, unique_key, unique_for)
  VALUES (job.queue, job.payload, job.state, job.priority, CASE job.state WHEN 'blocked' THEN now ELSE job.run_at END,
          job.max_attempts, now, job.expires_at, job.key, job.ties, job.unique_key, job.unique_for)
  ON CONFLICT (queue, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
  RETURNING l.id INTO job.id;
  IF job.id IS NULL THEN
    RETURN NULL;
  ELSIF job.unique_key IS NOT NULL AND honker._kept(job.queue, job.unique_key, now) IS NOT NULL THEN
    -- Its job has ended between the look and the insert.
    DELETE FROM honker.live AS l WHERE l.id = job.id;
    RETURN NULL;
  END IF;
  IF honker._is_recording() THEN
    PERFORM honker._moved(job.id, job.queue, job.payload, 'enqueued', NULL, NULL, now);
  END IF;
  IF has_parents THEN
    PERFORM honker._wait_for(job.id, parents, flow.on_parent_failure, runs_after, now);
  END IF;
  RETURN job.id;
END $$;

-- The state of a new job. Locks its key if it may be blocked now. A job that waits for its parents is in no line yet:
-- the end of the last one locks the key (honker._enter). Locked here, the keys of a workflow that is added in one
-- transaction caused deadlocks.
CREATE OR REPLACE FUNCTION honker._state_at_start(job honker.live, has_parents boolean, now bigint) RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  rules honker.queues;
BEGIN
  IF job.key IS NOT NULL THEN
    SELECT q.* INTO rules FROM honker.queues AS q WHERE q.name = job.queue;
    IF honker._looks_at_keys(rules) THEN
      IF NOT has_parents AND job.run_at <= now THEN
        PERFORM honker._lock_key_shared(job.queue, job.key);
        IF honker._is_full(rules, job.queue, job.key, job.priority, now) THEN
          RETURN 'blocked';
        END IF;
      END IF;
    END IF;
  END IF;
  RETURN CASE WHEN has_parents THEN 'waiting' ELSE 'pending' END;
END $$;

-- Ties a new job to its parents; `runs_after` has given it its unique key, and counts as ended however it ends. A job
-- that an ended parent cancels is dead afterwards.
CREATE OR REPLACE FUNCTION honker._wait_for(job_id bigint, parents bigint[], policy text, runs_after bigint, now bigint) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  unsettled bigint := 0;
BEGIN
  IF cardinality(parents) > 0 THEN
    unsettled := honker._depend(job_id, parents, policy, now);
  END IF;
  IF runs_after IS NOT NULL THEN
    unsettled := unsettled + honker._depend(job_id, ARRAY[runs_after], 'run', now);
  END IF;
  IF unsettled > 0 THEN
    UPDATE honker.live AS l SET waiting_for = unsettled WHERE l.id = job_id AND l.state = 'waiting';
  ELSE
    PERFORM honker._enter(job_id, now);
  END IF;
END $$;
