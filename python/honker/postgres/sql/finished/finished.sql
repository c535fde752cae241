-- Finished jobs, in queues that keep them: those that succeeded, and those that were cancelled.
--
-- Invariant: a job is live, dead or finished, and never two of these: it is copied in the transaction that deletes its
-- live row.
--
-- There is no sweeper. Each job that is kept deletes a few that have been kept for long enough; a list shows no expired
-- one. A clock that was ahead dates a job, and its expiry, in the future: such a job of the queue is deleted as well
-- once it lies further ahead than a day. Rows that another session deletes are passed over.

-- Keeps a job that has ended, if its queue keeps finished jobs. True if it is kept.
CREATE OR REPLACE FUNCTION honker._keep_finished(job honker.live, state text, now bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  keep_s double precision := (SELECT q.keep_finished_s FROM honker.queues AS q WHERE q.name = job.queue);
BEGIN
  IF keep_s IS NULL OR keep_s <= 0 THEN
    RETURN false;
  END IF;
  INSERT INTO honker.finished AS f (
    id, queue, payload, state, priority, attempts, max_attempts, key, worker_id, last_error, created_at, finished_at,
    expires_at)
  VALUES (
    job.id, job.queue, job.payload, state, job.priority, job.attempts, job.max_attempts, job.key, job.worker_id,
    job.last_error,
    job.created_at, now, now + honker._milliseconds(keep_s))
  -- Of a database that was merged or restored in part.
  ON CONFLICT ON CONSTRAINT finished_pkey DO UPDATE SET state = excluded.state, finished_at = excluded.finished_at,
    expires_at = excluded.expires_at;
  PERFORM honker._forget_finished(job.queue, now);
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION honker._forget_finished(queue text, now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  old bigint[];
BEGIN
  WITH expired AS (
    SELECT f.id FROM honker.finished AS f WHERE f.expires_at <= now ORDER BY f.expires_at LIMIT 4 FOR UPDATE SKIP LOCKED
  ), ahead AS (
    SELECT f.id FROM honker.finished AS f WHERE f.queue = queue AND f.finished_at > now + 86400000 LIMIT 4
      FOR UPDATE SKIP LOCKED
  ), gone AS (
    DELETE FROM honker.finished AS f
    WHERE f.id IN (SELECT e.id FROM expired AS e UNION ALL SELECT a.id FROM ahead AS a)
    RETURNING f.id
  )
  SELECT array_agg(g.id) INTO old FROM gone AS g;
  IF old IS NOT NULL THEN
    DELETE FROM honker.attempts AS a WHERE a.job_id = ANY (old);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_finished_list(queue text, before_id bigint, n bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
BEGIN
  PERFORM honker._name(queue, 'queue');
  PERFORM honker._integer(n, 'n', 0, 10000);
  RETURN (
    SELECT coalesce(json_agg(json_build_object(
      'id', page.id, 'queue', page.queue, 'payload', page.payload, 'state', page.state, 'priority', page.priority,
      'attempts', page.attempts, 'max_attempts', page.max_attempts, 'key', page.key, 'worker_id', page.worker_id,
      'last_error', page.last_error, 'created_at', honker._seconds(page.created_at),
      'finished_at', honker._seconds(page.finished_at), 'expires_at', honker._seconds(page.expires_at)
    ) ORDER BY page.id DESC), '[]')::text
    FROM (
      -- The sum of the payloads before a row: 16 MiB end a page.
      SELECT f.*, sum(octet_length(f.payload)) OVER (ORDER BY f.id DESC) - octet_length(f.payload) AS before_bytes
      FROM honker.finished AS f
      WHERE f.queue = queue AND f.id < coalesce(before_id, 9223372036854775807) AND f.expires_at > now
      ORDER BY f.id DESC
      LIMIT n
    ) AS page
    WHERE page.before_bytes < 16777216
  );
END $$;
