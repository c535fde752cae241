-- The parents of a job that has not ended, in the order in which it has named them.
CREATE OR REPLACE FUNCTION honker.honker_job_parents(job_id bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
BEGIN
  PERFORM honker._integer(job_id, 'job_id', -9223372036854775808, 9223372036854775807);
  RETURN (
    SELECT coalesce(json_agg(json_build_object(
      'job_id', d.parent_id,
      'state', d.outcome,
      'result', CASE WHEN d.outcome = 'done' THEN coalesce(o.value, r.value) END,
      'error', CASE WHEN d.outcome IN ('dead', 'cancelled') THEN coalesce(o.error, letter.last_error) END
    ) ORDER BY d.position), '[]')::text
    FROM honker.dependencies AS d
    LEFT JOIN honker.outcomes AS o ON o.job_id = d.parent_id
    LEFT JOIN honker.results AS r ON r.job_id = d.parent_id AND (r.expires_at IS NULL OR r.expires_at > now)
    LEFT JOIN honker.dead AS letter ON letter.id = d.parent_id
    WHERE d.child_id = job_id
  );
END $$;
