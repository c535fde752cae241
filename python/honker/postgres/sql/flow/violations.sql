-- The check of the invariants of flow control, for maintenance and for tests. Reads only, and whole tables.
--
-- A database that only honker writes has no violation after any commit. Ends of parents to which no job is tied are
-- none here: two children that end at once may leave one, until honker._prune_edges meets it.

CREATE OR REPLACE FUNCTION honker._violations_of_waiting(now bigint)
RETURNS TABLE (kind text, job_id bigint, queue text, key text, problem text) LANGUAGE sql STABLE AS $$
  SELECT found.kind, found.id, found.queue, found.key, CASE found.kind
      WHEN 'waiting_without_parent' THEN
        format('the job waits, and all of its parents have ended; waiting_for is %s',
        coalesce(found.waiting_for::text, 'None'))
      WHEN 'wrong_count' THEN
        format('%s of its parents have not ended, and waiting_for is %s', found.open,
        coalesce(found.waiting_for::text, 'None'))
      ELSE format('the job waits for job %s, which has ended or is gone', found.lost)
    END
  FROM (
    SELECT l.id, l.queue, l.key, l.waiting_for, edges.open, (lost).id AS lost, CASE
        WHEN edges.open = 0 THEN 'waiting_without_parent'
        WHEN l.waiting_for IS DISTINCT FROM edges.open THEN 'wrong_count'
        WHEN (lost).id IS NOT NULL THEN 'lost_parent'
      END AS kind
    FROM honker.live AS l
    CROSS JOIN LATERAL (
      SELECT count(*) AS open FROM honker.dependencies AS d WHERE d.child_id = l.id AND d.outcome IS NULL
    ) AS edges
    CROSS JOIN LATERAL honker._lost_parent(l.id, now) AS lost
    WHERE l.state = 'waiting'
  ) AS found
  WHERE found.kind IS NOT NULL
  ORDER BY found.id
$$;

CREATE OR REPLACE FUNCTION honker._violations_of_edges()
RETURNS TABLE (kind text, job_id bigint, queue text, key text, problem text) LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN child.id IS NULL THEN 'edge_without_child' ELSE 'failure_without_effect' END, d.child_id,
    child.queue, child.key,
    CASE WHEN child.id IS NULL THEN format('the job is gone, and is still tied to its parent %s', d.parent_id)
         ELSE format('its parent %s has failed, and the job is %s', d.parent_id, child.state) END
  FROM honker.dependencies AS d LEFT JOIN honker.live AS child ON child.id = d.child_id
  WHERE (child.id IS NULL AND NOT EXISTS (SELECT FROM honker.dead AS letter WHERE letter.id = d.child_id))
     OR (child.id IS NOT NULL AND d.policy = 'cancel' AND d.outcome IN ('dead', 'cancelled'))
  ORDER BY d.parent_id, d.child_id
$$;

-- True if a key has blocked jobs, room for one of them, and no candidate.
CREATE OR REPLACE FUNCTION honker._is_stranded(queue text, key text, now bigint)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  rules honker.queues;
  first honker.live := honker._first_blocked(queue, key);
BEGIN
  SELECT q.* INTO rules FROM honker.queues AS q WHERE q.name = queue;
  RETURN honker._room(rules, first, now) > 0
     AND honker._candidates(queue, key, -9223372036854775808, 1, now) = 0;
END $$;

CREATE OR REPLACE FUNCTION honker._violations_of_keys(now bigint)
RETURNS TABLE (kind text, job_id bigint, queue text, key text, problem text) LANGUAGE sql STABLE AS $$
  SELECT 'stranded_key', NULL::bigint, blocked.queue, blocked.key,
         'jobs of the key are blocked, it has room, and none of them is a candidate'
  FROM (SELECT DISTINCT l.queue, l.key FROM honker.live AS l WHERE l.state = 'blocked' AND l.key IS NOT NULL) AS blocked
  WHERE honker._is_stranded(blocked.queue, blocked.key, now)
  ORDER BY blocked.queue, blocked.key
$$;

CREATE OR REPLACE FUNCTION honker.honker_flow_violations(n bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
BEGIN
  PERFORM honker._integer(n, 'n', 0, 10000);
  RETURN (
    SELECT coalesce(json_agg(json_build_object(
      'kind', v.kind, 'job_id', v.job_id, 'queue', v.queue, 'key', v.key, 'problem', v.problem)), '[]')::text
    FROM (
      SELECT w.* FROM honker._violations_of_waiting(now) AS w
      UNION ALL
      SELECT e.* FROM honker._violations_of_edges() AS e
      UNION ALL
      SELECT k.* FROM honker._violations_of_keys(now) AS k
      LIMIT n
    ) AS v
  );
END $$;
