-- All facts about one job, live, dead, or finished and kept; NULL if there is none.
CREATE OR REPLACE FUNCTION honker.honker_job_detail(job_id bigint) RETURNS text
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  job jsonb;
BEGIN
  PERFORM honker._job_id(job_id);
  SELECT s INTO job FROM honker._summaries(ARRAY[job_id], now) AS s LIMIT 1;
  IF job IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN job || honker._facts(job_id) || honker._relatives(job_id) || jsonb_build_object(
    'history', honker.honker_job_attempts(job_id)::json,
    'workflow', honker._workflow_of(job_id),
    'result', honker.honker_result_get(job_id),
    'why', coalesce(
      honker._why(job_id, now),
      'it has ended: ' || (job ->> 'state') || ' at ' || honker._at(((job ->> 'ended_at')::numeric * 1000)::bigint)));
END $$;

-- The facts that a list leaves out or shortens.
CREATE OR REPLACE FUNCTION honker._facts(job_id bigint) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  RETURN (
    SELECT jsonb_build_object(
      'payload', j.payload, 'error', j.last_error, 'unique_key', j.unique_key,
      'claim_expires_at', honker._seconds(j.claim_expires_at), 'expires_at', honker._seconds(j.expires_at),
      'cancel_requested_at', honker._seconds(j.cancel_requested_at), 'snoozes', coalesce(j.snoozes, 0),
      'unknown_since', honker._seconds(j.unknown_since))
    FROM (
      SELECT l.payload, l.last_error, l.unique_key, l.claim_expires_at, l.expires_at, l.cancel_requested_at,
             l.snoozes, l.unknown_since
      FROM honker.live AS l WHERE l.id = job_id
      UNION ALL
      SELECT d.payload, d.last_error, d.unique_key, NULL, d.expires_at, NULL, d.snoozes, NULL
      FROM honker.dead AS d WHERE d.id = job_id
      UNION ALL
      SELECT f.payload, f.last_error, NULL, NULL, NULL, NULL, NULL, NULL FROM honker.finished AS f WHERE f.id = job_id
      LIMIT 1
    ) AS j);
END $$;

-- The jobs to which edges lead, up to 1,000 each way; of the parents those first that have not ended.
CREATE OR REPLACE FUNCTION honker._relatives(job_id bigint) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  parents jsonb[] := ARRAY(
    SELECT jsonb_build_object('job_id', p.parent_id, 'outcome', p.outcome)
    FROM (
      (SELECT d.parent_id, d.outcome FROM honker.dependencies AS d
       WHERE d.child_id = job_id AND d.outcome IS NULL LIMIT 1001)
      UNION ALL
      (SELECT d.parent_id, d.outcome FROM honker.dependencies AS d
       WHERE d.child_id = job_id AND d.outcome IS NOT NULL ORDER BY d.outcome LIMIT 1001)
      LIMIT 1001
    ) AS p
    ORDER BY p.outcome NULLS FIRST, p.parent_id);
  children jsonb[] := ARRAY(
    SELECT jsonb_build_object('job_id', d.child_id, 'outcome', d.outcome) FROM honker.dependencies AS d
    WHERE d.parent_id = job_id ORDER BY d.child_id LIMIT 1001);
BEGIN
  RETURN jsonb_build_object(
    'parents', parents[:1000], 'parents_is_exact', cardinality(parents) <= 1000,
    'children', children[:1000], 'children_is_exact', cardinality(children) <= 1000);
END $$;
