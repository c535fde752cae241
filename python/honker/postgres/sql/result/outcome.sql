-- The state of a job whose result is awaited. The parts are read in this order, in one snapshot, so a job that moves is
-- in one of them. `unknown` is an id that no job has been given yet. A job whose transaction has not committed is
-- `gone`, because its id has been given and nothing of it is visible.
CREATE OR REPLACE FUNCTION honker.honker_job_outcome(job_id bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  found_state text;
  found_error text;
BEGIN
  PERFORM honker._integer(job_id, 'job_id', -9223372036854775808, 9223372036854775807);
  SELECT o.state, o.error INTO found_state, found_error
  FROM (
    SELECT CASE l.state WHEN 'processing' THEN l.state ELSE 'pending' END AS state, l.last_error AS error
    FROM honker.live AS l WHERE l.id = job_id
    UNION ALL
    SELECT 'dead', d.last_error FROM honker.dead AS d WHERE d.id = job_id
    UNION ALL
    SELECT 'cancelled', NULL FROM honker.results AS r WHERE r.job_id = job_id AND r.value IS NULL AND r.expires_at > now
    UNION ALL
    SELECT 'unknown', NULL WHERE job_id > 0 AND NOT honker._has_been_given(job_id)
  ) AS o
  LIMIT 1;
  RETURN json_build_object('state', coalesce(found_state, 'gone'), 'error', found_error)::text;
END $$;
