-- The round of a worker: jobs that have ended are settled, and new ones claimed, in one transaction. If the session dies in between,
-- nothing of the round has happened, and every claim is held until its lease lapses.

CREATE OR REPLACE FUNCTION honker.honker_work(
  queue text, worker_id text, n bigint, timeout_s double precision, settlements_json text, report_json text DEFAULT NULL
) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  lease bigint;
  settled text;
  jobs text[];
  is_full boolean := false;
  report_in_s double precision;
BEGIN
  lease := honker._claim_lease(queue, worker_id, n, timeout_s);
  settled := honker._settle(worker_id, settlements_json, now);
  jobs := honker._claim(queue, worker_id, n, lease, true, now);
  IF cardinality(jobs) < n THEN
    is_full := coalesce((
      SELECT honker._queue_slots(q, 1) <= 0 FROM honker.queues AS q WHERE q.name = queue AND q.concurrency >= 0), false);
  END IF;
  IF report_json IS NOT NULL THEN
    report_in_s := honker._report_with(report_json, queue, jobs, now);
  END IF;
  RETURN '{"settled":[' || settled || '],"jobs":[' || array_to_string(jobs, ',') || ']'
    || CASE WHEN is_full THEN ',"is_full":true' ELSE '' END
    || CASE WHEN honker._is_recording() THEN ',"is_recorded":true' ELSE '' END
    || coalesce(',"report_in_s":' || report_in_s, '') || '}';
END $$;

-- Writes the report of a worker, and in it the jobs that this round has claimed.
CREATE OR REPLACE FUNCTION honker._report_with(report_json text, queue text, jobs text[], now bigint) RETURNS double precision
LANGUAGE plpgsql AS $$
DECLARE
  report jsonb := honker._json(report_json, 'report_json', 'object')::jsonb;
  running jsonb;
BEGIN
  IF cardinality(jobs) > 0 AND jsonb_typeof(report -> 'running') = 'array' AND jsonb_typeof(report -> 'busy') = 'number' THEN
    running := (SELECT jsonb_agg(jsonb_build_object(
      'id', (j.job::json ->> 'id')::bigint, 'queue', queue, 'task', honker._task_of(j.job::json ->> 'payload'),
      'since', honker._seconds(now)))
      FROM unnest(jobs[:100]) AS j (job));
    report := report || jsonb_build_object(
      'running', (report -> 'running') || running, 'busy', (report ->> 'busy')::bigint + cardinality(jobs));
  END IF;
  RETURN honker.honker_worker_report(report::text);
END $$;
