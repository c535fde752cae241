-- Retry, fail and dead letters.
.load ./libhonker_ext
SELECT honker_bootstrap();
SELECT honker_enqueue('reports', '{"month":1}', '{"max_attempts":2}');

-- A claim, a retry without a delay, and the last attempt.
SELECT json_extract(honker_claim_batch('reports', 'w1', 1, 60), '$[0].attempts');
SELECT honker_retry(1, 'w1', 0, 'the printer is busy', 1);
SELECT json_extract(honker_claim_batch('reports', 'w1', 1, 60), '$[0].attempts');

-- More time: the lease ends 300 seconds from now.
SELECT honker_heartbeat(1, 'w1', 300, 2);

-- A stale attempt settles nothing; the current one makes a dead letter.
SELECT honker_ack(1, 'w1', 1);
SELECT honker_fail(1, 'w1', 'out of paper', 2);
SELECT honker_job_outcome(1) ->> 'state', honker_job_outcome(1) ->> 'error';

-- Let the dead letter run again, with all its attempts.
SELECT honker_requeue(1, 'reports');
SELECT honker_get_job('reports', 1) ->> 'state';
