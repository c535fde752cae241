-- A live job as JSON, of a queue or of any; the empty text if there is none.
CREATE OR REPLACE FUNCTION honker.honker_get_job(job_id bigint, queue text DEFAULT NULL) RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  PERFORM honker._job_id(job_id);
  PERFORM honker._queue_or_any(queue);
  RETURN coalesce((
    SELECT json_build_object(
      'id', l.id, 'queue', l.queue, 'payload', l.payload, 'state', l.state, 'priority', l.priority,
      'run_at', honker._seconds(l.run_at), 'worker_id', l.worker_id, 'claim_expires_at', honker._seconds(l.claim_expires_at),
      'attempts', l.attempts, 'max_attempts', l.max_attempts, 'created_at', honker._seconds(l.created_at),
      'expires_at', honker._seconds(l.expires_at), 'unknown_since', honker._seconds(l.unknown_since),
      'cancel_requested_at', honker._seconds(l.cancel_requested_at))::text
    FROM honker.live AS l WHERE l.id = job_id AND (queue IS NULL OR l.queue = queue)
  ), '');
END $$;

CREATE OR REPLACE FUNCTION honker.honker_get_job(queue text, job_id bigint) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT honker.honker_get_job(job_id, queue)
$$;
