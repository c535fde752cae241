-- The effects of the end of a job. `job` is its row as it was before it went, with all ties; `fate` is done, cancelled,
-- dead, or back for a job that waits again. Each cancelled job and each new dead letter comes here; of the others those
-- with ties (see the Rust module `ties`: 8 DEPENDENTS, 16 PARENTS, 32 HISTORY, 64 KEEP, 128 PROGRESS). The effect on
-- its key is the caller's.
CREATE OR REPLACE FUNCTION honker._after_leave(job honker.live, fate text, value text, error text, now bigint)
RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  ties bigint := coalesce(job.ties, 0);
  is_kept boolean := false;
  has_ended boolean := fate <> 'back';
BEGIN
  IF fate = 'cancelled' THEN
    PERFORM honker._trace_cancelled(job.id, now);
  ELSIF fate = 'dead' THEN
    PERFORM honker._keep_dead_to_policy(job.queue, job.id, now);
  END IF;
  -- A job that was never claimed may be cancelled: its tie does not say yet if it is kept.
  IF fate = 'cancelled' OR (fate = 'done' AND ties & 64 <> 0) THEN
    is_kept := honker._keep_finished(job, fate, now);
  END IF;
  IF ties = 0 THEN
    RETURN;
  END IF;
  IF ties & 8 <> 0 AND has_ended THEN
    PERFORM honker._settle_children(job.id, fate, value, error, fate = 'dead', now);
  END IF;
  IF ties & 16 <> 0 THEN
    IF fate IN ('done', 'cancelled') THEN
      PERFORM honker._forget_parents(job.id);
    ELSIF fate = 'dead' AND NOT honker._has_failed_parent(job.id) THEN
      PERFORM honker._detach(job.id);
    END IF;
  END IF;
  IF ties & 32 <> 0 AND NOT is_kept AND fate IN ('done', 'cancelled') THEN
    PERFORM honker._forget_attempts(job.id);
  END IF;
  IF ties & 128 <> 0 THEN
    PERFORM honker._forget_progress(job.id);
  END IF;
END $$;
