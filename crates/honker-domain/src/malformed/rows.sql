-- Rows that were edited by hand and cannot be understood. Operations pass over them.
-- ?1 how many at most.
-- Returns table_name, row (the rowid), problem.
-- A text that is not UTF-8 is not found here: SQLite has no test for it. Claims dead-letter such a job, and readers report it.
-- Index: none, each table is read from end to end: for maintenance. Lock: read.
SELECT table_name, row, problem FROM (
  SELECT '_honker_live' AS table_name, id AS row, CASE
      WHEN typeof(queue) <> 'text' THEN 'queue is ' || typeof(queue)
      WHEN ifnull(state, '') NOT IN ('pending', 'processing', 'blocked', 'waiting', 'scheduled', 'delayed', 'deferred', 'retryable')
        THEN 'state is none of pending, processing, blocked and waiting'
      WHEN typeof(payload) <> 'text' THEN 'payload is ' || typeof(payload)
      WHEN typeof(priority) <> 'integer' THEN 'priority is ' || typeof(priority)
      WHEN typeof(attempts) <> 'integer' THEN 'attempts is ' || typeof(attempts)
      WHEN typeof(max_attempts) <> 'integer' THEN 'max_attempts is ' || typeof(max_attempts)
      WHEN typeof(run_at) NOT IN ('integer', 'real') THEN 'run_at is ' || typeof(run_at)
      WHEN run_at > 253402300799 THEN 'run_at is after the year 9999'
      WHEN state = 'processing' AND typeof(claim_expires_at) NOT IN ('integer', 'real', 'null')
        THEN 'claim_expires_at is ' || typeof(claim_expires_at)
      WHEN state = 'processing' AND claim_expires_at > 253402300799 THEN 'claim_expires_at is after the year 9999'
      WHEN typeof(expires_at) NOT IN ('integer', 'real', 'null') THEN 'expires_at is ' || typeof(expires_at)
      WHEN typeof(unknown_since) NOT IN ('integer', 'real', 'null') THEN 'unknown_since is ' || typeof(unknown_since)
    END AS problem
  FROM main._honker_live
  UNION ALL
  SELECT '_honker_dead', id, CASE
      WHEN typeof(queue) <> 'text' THEN 'queue is ' || typeof(queue)
      WHEN typeof(last_error) NOT IN ('text', 'null') THEN 'last_error is ' || typeof(last_error)
    END
  FROM main._honker_dead
  UNION ALL
  SELECT '_honker_scheduler_tasks', rowid, CASE
      WHEN typeof(next_fire_at) NOT IN ('integer', 'real') THEN 'next_fire_at is ' || typeof(next_fire_at)
      WHEN last_error IS NOT NULL THEN last_error
    END
  FROM main._honker_scheduler_tasks
  UNION ALL
  SELECT '_honker_stream', offset, CASE
      WHEN typeof(topic) <> 'text' THEN 'topic is ' || typeof(topic)
      WHEN typeof(key) NOT IN ('text', 'null') THEN 'key is ' || typeof(key)
      WHEN typeof(payload) <> 'text' THEN 'payload is ' || typeof(payload)
    END
  FROM main._honker_stream
  UNION ALL
  SELECT '_honker_stream_consumers', rowid, CASE
      WHEN typeof(offset) <> 'integer' THEN 'offset is ' || typeof(offset)
    END
  FROM main._honker_stream_consumers
  UNION ALL
  SELECT '_honker_notifications', id, CASE
      WHEN typeof(channel) <> 'text' THEN 'channel is ' || typeof(channel)
      WHEN typeof(payload) <> 'text' THEN 'payload is ' || typeof(payload)
    END
  FROM main._honker_notifications
  UNION ALL
  SELECT '_honker_locks', rowid, CASE
      WHEN typeof(owner) <> 'text' THEN 'owner is ' || typeof(owner)
      WHEN typeof(expires_at) NOT IN ('integer', 'real') THEN 'expires_at is ' || typeof(expires_at)
      WHEN expires_at > 253402300799 THEN 'expires_at is after the year 9999'
    END
  FROM main._honker_locks
  UNION ALL
  SELECT '_honker_rate_limits', rowid, CASE
      WHEN typeof(count) <> 'integer' THEN 'count is ' || typeof(count)
    END
  FROM main._honker_rate_limits
  UNION ALL
  SELECT '_honker_results', job_id, CASE
      WHEN typeof(value) NOT IN ('text', 'null') THEN 'value is ' || typeof(value)
      WHEN typeof(expires_at) NOT IN ('integer', 'real', 'null') THEN 'expires_at is ' || typeof(expires_at)
    END
  FROM main._honker_results
)
WHERE problem IS NOT NULL
LIMIT +?1
