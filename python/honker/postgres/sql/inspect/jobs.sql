-- Lists of jobs.

-- Jobs of these ids, the greatest first, each with its texts shortened.
CREATE OR REPLACE FUNCTION honker._summaries(ids bigint[], now bigint) RETURNS SETOF jsonb LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  RETURN QUERY SELECT jsonb_build_object(
    'id', j.id, 'queue', j.queue, 'task', honker._task_of(j.head), 'state', j.state, 'priority', j.priority,
    'key', j.key, 'attempts', j.attempts, 'max_attempts', j.max_attempts, 'created_at', honker._seconds(j.created_at),
    'run_at', honker._seconds(j.run_at), 'ended_at', honker._seconds(j.ended_at), 'worker_id', j.worker_id,
    'error', honker._first_line(j.error), 'payload', left(j.head, 200),
    'progress', (
      SELECT json_build_object('done', honker._number(p.done), 'total', honker._number(p.total), 'note', p.note,
                               'updated_at', honker._seconds(p.updated_at))
      FROM honker.progress AS p WHERE p.job_id = j.id AND j.is_live))
  FROM (
    SELECT l.id, l.queue, honker._shown(l.state, l.run_at, now) AS state, l.priority, l.key, l.attempts, l.max_attempts,
           l.created_at, l.run_at, NULL::bigint AS ended_at, l.worker_id, left(l.last_error, 200) AS error,
           left(l.payload, 1000) AS head, true AS is_live
    FROM honker.live AS l WHERE l.id = ANY (ids)
    UNION ALL
    SELECT d.id, d.queue, 'dead', d.priority, d.key, d.attempts, d.max_attempts, d.created_at, d.run_at, d.died_at,
           d.worker_id, left(d.last_error, 200), left(d.payload, 1000), false
    FROM honker.dead AS d WHERE d.id = ANY (ids)
    UNION ALL
    SELECT f.id, f.queue, f.state, f.priority, f.key, f.attempts, f.max_attempts, f.created_at, NULL, f.finished_at,
           f.worker_id, left(f.last_error, 200), left(f.payload, 1000), false
    FROM honker.finished AS f WHERE f.id = ANY (ids) AND f.expires_at > now
  ) AS j
  ORDER BY j.id DESC;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_jobs_list(filter_json text, after bigint, n bigint) RETURNS text
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  filter honker.job_filter := honker._filter(filter_json);
  walked record;
BEGIN
  PERFORM honker._page_size(n);
  walked := honker._walk(filter, honker._tables_of(filter), after, n, now);
  RETURN json_build_object(
    'jobs', (SELECT coalesce(json_agg(s.job ORDER BY s.place), '[]')
             FROM honker._summaries(walked.ids, now) WITH ORDINALITY AS s (job, place)),
    'next', walked.next, 'is_complete', walked.is_complete)::text;
END $$;
