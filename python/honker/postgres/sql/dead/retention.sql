-- Dead letters that are given up: by the policy of their queue, or by hand.
--
-- There is no sweeper. Each new dead letter deletes a few of the queue: old ones each time; those beyond the number
-- that stays, which takes passing over these, at one in 64. A letter that another session holds is passed over.

-- Deletes dead letters of a queue that are older than `max_age` milliseconds, or not among the `max_keep` newest, the
-- oldest first, among the first `most`. Those that a clock which was ahead has dated into the future would block the
-- head of the queue, and are old as well. Returns how many. Jobs that wait for the requeue of one die of its failure.
CREATE OR REPLACE FUNCTION honker._prune_dead(queue text, max_age bigint, max_keep bigint, most bigint, now bigint)
RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  surplus record;
  old_before bigint := now - max_age;
  old_after bigint := now + greatest(max_age, 86400000);
  letter honker.dead;
  pruned bigint := 0;
BEGIN
  SELECT d.died_at, d.id INTO surplus
  FROM honker.dead AS d
  WHERE max_keep IS NOT NULL AND d.queue = queue
  ORDER BY d.died_at DESC, d.id DESC
  OFFSET max_keep LIMIT 1;
  FOR letter IN
    WITH head AS (
      SELECT d.id, d.died_at FROM honker.dead AS d WHERE d.queue = queue ORDER BY d.died_at, d.id LIMIT most
    ), given_up AS (
      SELECT d.id FROM honker.dead AS d JOIN head AS h ON h.id = d.id
      WHERE (h.died_at, h.id) <= (surplus.died_at, surplus.id) OR h.died_at < old_before
         OR (max_age IS NOT NULL AND h.died_at > old_after)
      ORDER BY h.id
      FOR UPDATE OF d SKIP LOCKED
    )
    DELETE FROM honker.dead AS d USING given_up AS g WHERE d.id = g.id RETURNING d.*
  LOOP
    pruned := pruned + 1;
    IF letter.ties IS NOT NULL OR letter.key IS NOT NULL THEN
      PERFORM honker._forget_letter(letter, now);
    END IF;
  END LOOP;
  RETURN pruned;
END $$;

-- The effects of the end of a dead letter that cannot come back. Its row is gone. The line of its key goes on; if another
-- session has the lock of the key, a claim that finds nothing does that later.
CREATE OR REPLACE FUNCTION honker._forget_letter(letter honker.dead, now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  job honker.live;
BEGIN
  IF letter.ties & 8 <> 0 THEN
    PERFORM honker._settle_children(letter.id, 'dead', NULL, letter.last_error, false, now);
  END IF;
  IF letter.ties & 16 <> 0 THEN
    PERFORM honker._forget_parents(letter.id);
  END IF;
  IF letter.ties & 32 <> 0 THEN
    PERFORM honker._forget_attempts(letter.id);
  END IF;
  IF letter.key IS NOT NULL AND honker._try_lock_key(letter.queue, letter.key) THEN
    job.id := letter.id;
    job.queue := letter.queue;
    job.key := letter.key;
    PERFORM honker._leave_line(job, false, now);
  END IF;
END $$;

-- Deletes a few dead letters that the policy of the queue gives up, after this one was added.
CREATE OR REPLACE FUNCTION honker._keep_dead_to_policy(queue text, job_id bigint, now bigint)
RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  policy record;
BEGIN
  SELECT r.max_age, r.max_keep INTO policy FROM honker.retention AS r WHERE r.kind = 'dead' AND r.name = queue;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  -- Scattered over the ids, so that each queue has its turn.
  IF hashint8(job_id) & 63 = 0 THEN
    PERFORM honker._prune_dead(queue, policy.max_age, policy.max_keep, 128, now);
  ELSIF policy.max_age IS NOT NULL THEN
    PERFORM honker._prune_dead(queue, policy.max_age, NULL, 4, now);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_dead_prune(queue text, older_than_s double precision, max_keep bigint)
RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  max_age bigint := CASE WHEN older_than_s IS NOT NULL THEN honker._span_from_zero(older_than_s, 'older_than_s') END;
  pruned bigint;
BEGIN
  PERFORM honker._name(queue, 'queue');
  IF max_keep IS NOT NULL THEN
    PERFORM honker._integer(max_keep, 'max_keep', 0, 10000000);
  END IF;
  IF max_age IS NULL AND max_keep IS NULL THEN
    RETURN 0;
  END IF;
  pruned := honker._prune_dead(queue, max_age, max_keep, 9223372036854775807, honker._now());
  IF pruned > 0 THEN
    PERFORM honker._announce();
  END IF;
  RETURN pruned;
END $$;
