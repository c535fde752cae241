-- Results of jobs, kept for callers that wait for them.
--
-- Each save deletes a few expired results, so the table stays bounded by the results that are still valid, without a
-- sweeper. Those that another session holds are passed over, so two savers do not wait for each other.

CREATE OR REPLACE FUNCTION honker.honker_result_save(job_id bigint, value text, ttl_s double precision DEFAULT 0)
RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
BEGIN
  PERFORM honker._integer(job_id, 'job_id', -9223372036854775808, 9223372036854775807);
  PERFORM honker._text(value, 'value');
  PERFORM honker._save_result(job_id, value, honker._span(ttl_s, 'ttl_s'), now);
  PERFORM honker._announce();
  RETURN 1;
END $$;

-- Keeps a value as the result of a job, for `ttl` milliseconds, or for ever if that is 0 or less. Two sessions that
-- save a result of one job at once: the last one stays.
CREATE OR REPLACE FUNCTION honker._save_result(job_id bigint, value text, ttl bigint, now bigint)
RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  INSERT INTO honker.results AS r (job_id, value, created_at, expires_at)
  VALUES (job_id, value, now, CASE WHEN ttl > 0 THEN now + ttl END)
  ON CONFLICT ON CONSTRAINT results_pkey DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at;
  PERFORM honker._prune_results(4, now);
END $$;

-- Remembers for a day that a job was cancelled, so that a waiter sees that no result will come: a result without a
-- value. One that the handler has saved already stays, because a waiter may be about to read it.
CREATE OR REPLACE FUNCTION honker._trace_cancelled(job_id bigint, now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  INSERT INTO honker.results AS r (job_id, value, created_at, expires_at) VALUES (job_id, NULL, now, now + 86400000)
  ON CONFLICT ON CONSTRAINT results_pkey DO UPDATE SET value = NULL, expires_at = excluded.expires_at
  WHERE r.value IS NULL OR r.expires_at <= now;
  PERFORM honker._prune_results(4, now);
END $$;

-- Deletes expired results, up to `most`. Returns how many.
CREATE OR REPLACE FUNCTION honker._prune_results(most bigint, now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  pruned bigint;
BEGIN
  DELETE FROM honker.results AS r
  USING (
    SELECT e.job_id FROM honker.results AS e
    WHERE e.expires_at IS NOT NULL AND e.expires_at <= now
    ORDER BY e.expires_at
    LIMIT most
    FOR UPDATE SKIP LOCKED
  ) AS expired
  WHERE r.job_id = expired.job_id;
  GET DIAGNOSTICS pruned = ROW_COUNT;
  RETURN pruned;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_result_get(job_id bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
BEGIN
  PERFORM honker._integer(job_id, 'job_id', -9223372036854775808, 9223372036854775807);
  RETURN (SELECT r.value FROM honker.results AS r WHERE r.job_id = job_id
    AND (r.expires_at IS NULL OR r.expires_at > now));
END $$;

CREATE OR REPLACE FUNCTION honker.honker_result_sweep() RETURNS bigint LANGUAGE sql AS $$
  SELECT honker._prune_results(9223372036854775807, honker._now())
$$;
