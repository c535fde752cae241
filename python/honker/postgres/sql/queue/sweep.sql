-- Makes dead letters of the expired jobs of the queue that no worker holds. Returns their number.
--
-- A job that expired while it was leased is left to its holder, who may still ack it, until the lease lapses. Each job is tested
-- again under its lock: it may have been claimed since.
-- Index: live_expiry, the expired head.
CREATE OR REPLACE FUNCTION honker.honker_sweep_expired(queue text) RETURNS bigint LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
  job honker.live;
  id bigint;
  swept bigint := 0;
BEGIN
  PERFORM honker._name(queue, 'queue');
  PERFORM honker._check_writer();
  FOR id IN
    SELECT l.id FROM honker.live AS l
    WHERE l.queue = queue AND l.expires_at <= now AND (l.state <> 'processing' OR l.claim_expires_at < now)
    ORDER BY l.id
  LOOP
    job := honker._locked(id, queue);
    IF job.expires_at <= now AND (job.state <> 'processing' OR job.claim_expires_at < now) THEN
      PERFORM honker._bury(job, 'expired', now);
      swept := swept + 1;
    END IF;
  END LOOP;
  PERFORM honker._prune_edges(now, 1000);
  PERFORM honker._announced(swept > 0);
  RETURN swept;
END $$;
