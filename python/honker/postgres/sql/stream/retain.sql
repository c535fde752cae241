-- Keeping a topic to its retention policy, and pruning it.
--
-- There is no sweeper. One publish in 64 deletes a few events that the policy gives up, under the lock of the topic.
-- The surplus is found by passing over the events that stay, so it is searched only when the log has grown by a
-- sixteenth of them. Until then the last finding holds. Offsets are never used again: a consumer that is behind the
-- first event kept goes on there.

-- True for one id in 64. Scattered: with each 64th, a topic whose events always fall in between would never be pruned.
CREATE OR REPLACE FUNCTION honker._is_prune_turn(id bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT hashint8(id) & 63 = 0
$$;

-- The last event of a topic that is not among its `max_keep` newest; NULL if there is none.
CREATE OR REPLACE FUNCTION honker._surplus_of(topic text, max_keep bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  RETURN (
    SELECT e."offset" FROM honker.stream AS e
    WHERE max_keep IS NOT NULL AND e.topic = topic ORDER BY e."offset" DESC OFFSET max_keep LIMIT 1);
END $$;

-- Deletes events that are given up after `turns` of the new events were a turn to prune. The caller has locked the
-- topic.
CREATE OR REPLACE FUNCTION honker._keep_topic_to_policy(topic text, published bigint, turns bigint, now bigint)
RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  policy honker.retention;
BEGIN
  SELECT r.* INTO policy FROM honker.retention AS r WHERE r.kind = 'stream' AND r.name = topic;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF policy.max_keep IS NOT NULL
     AND coalesce(published - policy.judged_at >= greatest(policy.max_keep / 16, 64), true) THEN
    policy.surplus_to := honker._surplus_of(topic, policy.max_keep);
    UPDATE honker.retention AS r SET surplus_to = policy.surplus_to, judged_at = published
    WHERE r.kind = 'stream' AND r.name = topic;
  END IF;
  PERFORM honker._prune_topic(topic, policy.surplus_to, policy.max_age, 128 * turns, now);
END $$;

-- Deletes events of a topic up to the offset `surplus_to`, and those older than `max_age` milliseconds, among the first
-- `most`. Those that a clock which was ahead has dated into the future would block the beginning of the topic, and are
-- old as well. Returns how many. Events that another session deletes are passed over.
CREATE OR REPLACE FUNCTION honker._prune_topic(topic text, surplus_to bigint, max_age bigint, most bigint, now bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  old_before bigint := now - max_age;
  old_after bigint := CASE WHEN max_age IS NOT NULL THEN now + greatest(max_age, 86400000) END;
  pruned bigint;
BEGIN
  WITH head AS (
    SELECT e."offset", e.created_at FROM honker.stream AS e WHERE e.topic = topic ORDER BY e."offset" LIMIT most
  ), given_up AS (
    SELECT e."offset" FROM honker.stream AS e JOIN head AS h ON h."offset" = e."offset"
    WHERE h."offset" <= surplus_to OR h.created_at < old_before OR h.created_at > old_after
    FOR UPDATE OF e SKIP LOCKED
  )
  DELETE FROM honker.stream AS e USING given_up AS g WHERE e."offset" = g."offset";
  GET DIAGNOSTICS pruned = ROW_COUNT;
  RETURN pruned;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_stream_prune(topic text, older_than_s double precision, max_keep bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  max_age bigint := CASE WHEN older_than_s IS NOT NULL THEN honker._span_from_zero(older_than_s, 'older_than_s') END;
BEGIN
  PERFORM honker._name(topic, 'topic');
  IF max_keep IS NOT NULL THEN
    PERFORM honker._integer(max_keep, 'max_keep', 0, 10000000);
  END IF;
  IF max_age IS NULL AND max_keep IS NULL THEN
    RETURN 0;
  END IF;
  RETURN honker._prune_topic(topic, honker._surplus_of(topic, max_keep), max_age, NULL, honker._now());
END $$;
