-- Dependencies: a job that waits until others have ended.
--
-- An edge, a row of honker.dependencies, is open until it has an outcome. Invariants, after each commit:
--
-- 1. A job in state `waiting` has an open edge, and `waiting_for` counts its open edges.
-- 2. The parent of an open edge can still end: it is a live job with the tie DEPENDENTS (8), or, under the policy
--    `wait`, a dead letter.
-- 3. An edge of policy `cancel` whose outcome is a failure belongs to a dead letter that this failure has made, and
--    which a requeue of the parent brings back.
-- 4. The end of a parent is in honker.outcomes while one of its children has not ended.
--
-- Locks are taken in one order: rows of jobs by id, then edges, then outcomes.
--
-- - *A parent ends while its child is added.* Both lock the parent's row. If the child is first, it has marked the
--   parent, so the plain ack, which tests `ties IS NULL`, does not end it, and the ack with ties finds the edge. If the
--   parent is first, the child waits for its commit, and then finds its end.
-- - *Two parents end at once.* Each locks the row of the child before it counts down, so the second reads the first
--   one's count.
-- - *A session dies or rolls back*: its edges, counts and states go together.
-- - *The clock jumps*: no time decides here, except if a retained result has expired.

-- The end of a job that is named as a parent: `live`, `done`, `dead` or `cancelled`; NULL if nothing is known of it. A
-- dead letter can return. The parts are read in this order. A result of an id that no job has had says nothing.
CREATE OR REPLACE FUNCTION honker._fate(id bigint, now bigint, OUT state text, OUT error text, OUT can_return boolean)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  SELECT found.state, found.error, found.can_return INTO state, error, can_return
  FROM (
    SELECT 'live' AS state, NULL AS error, false AS can_return FROM honker.live AS l WHERE l.id = id
    UNION ALL
    SELECT 'dead', d.last_error, true FROM honker.dead AS d WHERE d.id = id
    UNION ALL
    SELECT o.state, o.error, false FROM honker.outcomes AS o WHERE o.job_id = id AND o.state <> 'requeued'
    UNION ALL
    SELECT f.state, NULL, false FROM honker.finished AS f WHERE f.id = id
    UNION ALL
    SELECT CASE WHEN r.value IS NULL THEN 'cancelled' ELSE 'done' END, NULL, false
    FROM honker.results AS r
    WHERE r.job_id = id AND (r.expires_at IS NULL OR r.expires_at > now) AND honker._has_been_given(id)
  ) AS found
  LIMIT 1;
END $$;

-- True if the id has been given to a job, committed or not.
CREATE OR REPLACE FUNCTION honker._has_been_given(id bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT id > 0 AND id <= CASE WHEN s.is_called THEN s.last_value ELSE s.last_value - 1 END FROM honker.job_ids AS s
$$;

-- The error of a child of this policy that the end of its parent cancels; NULL if it does not.
CREATE OR REPLACE FUNCTION honker._failure(policy text, parent_id bigint, state text, error text, can_return boolean)
RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN policy = 'run' OR (policy = 'wait' AND can_return) THEN NULL
    WHEN state = 'dead' THEN format('parent %s failed: %s', parent_id, left(coalesce(error, ''), 200))
    WHEN state = 'cancelled' THEN format('parent %s was cancelled', parent_id)
  END
$$;

-- Keeps the end of a parent for its children, with its result if one is kept, or that of an earlier copy.
CREATE OR REPLACE FUNCTION honker._keep_outcome(job_id bigint, state text, value text, error text, now bigint)
RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  IF state = 'done' AND value IS NULL THEN
    value := (SELECT r.value FROM honker.results AS r
              WHERE r.job_id = job_id AND (r.expires_at IS NULL OR r.expires_at > now));
  END IF;
  INSERT INTO honker.outcomes AS o (job_id, state, value, error)
  VALUES (job_id, state, CASE WHEN state = 'done' THEN value END, CASE WHEN state = 'dead' THEN error END)
  ON CONFLICT ON CONSTRAINT outcomes_pkey
  DO UPDATE SET state = excluded.state, value = coalesce(excluded.value, o.value), error = excluded.error;
END $$;

-- Marks the jobs among these that are live or dead letters as parents, and keeps them where they are until the end of
-- this transaction. Returns how many. The lock that stays is the weakest that keeps a row from being deleted:
-- heartbeats of a marked parent do not wait.
CREATE OR REPLACE FUNCTION honker._hold_parents(ids bigint[]) RETURNS integer LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  live integer;
  dead integer;
BEGIN
  UPDATE honker.live AS l SET ties = coalesce(l.ties, 0) | 8
  FROM (SELECT u.id FROM honker.live AS u WHERE u.id = ANY (ids) AND coalesce(u.ties, 0) & 8 = 0
    ORDER BY u.id FOR UPDATE) AS unmarked
  WHERE l.id = unmarked.id;
  PERFORM 1 FROM honker.live AS l WHERE l.id = ANY (ids) ORDER BY l.id FOR KEY SHARE;
  GET DIAGNOSTICS live = ROW_COUNT;
  IF live = cardinality(ids) THEN
    RETURN live;
  END IF;
  UPDATE honker.dead AS d SET ties = coalesce(d.ties, 0) | 8
  FROM (SELECT u.id FROM honker.dead AS u WHERE u.id = ANY (ids) AND coalesce(u.ties, 0) & 8 = 0
    ORDER BY u.id FOR UPDATE) AS unmarked
  WHERE d.id = unmarked.id;
  PERFORM 1 FROM honker.dead AS d WHERE d.id = ANY (ids) ORDER BY d.id FOR KEY SHARE;
  GET DIAGNOSTICS dead = ROW_COUNT;
  RETURN live + dead;
END $$;

-- Ties a new job, whose row is there, to its parents, each named once. Returns how many of these have not ended. If one
-- of them has failed already, under the policy `cancel`, the job is a dead letter afterwards.
CREATE OR REPLACE FUNCTION honker._depend(child_id bigint, after bigint[], policy text, now bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  found_ends record;
BEGIN
  IF honker._hold_parents(after) < cardinality(after) THEN
    -- A requeue may have moved one in between from the dead letters, which were looked at last, to the live jobs.
    PERFORM honker._hold_parents(after);
    -- The ends that are known stay until the edges are there.
    PERFORM 1 FROM honker.outcomes AS o WHERE o.job_id = ANY (after) ORDER BY o.job_id FOR KEY SHARE;
  END IF;
  SELECT t.* INTO found_ends FROM honker._tie(child_id, after, policy, now) AS t;
  IF found_ends.unknown IS NOT NULL THEN
    PERFORM honker._fail('HONKER_UNKNOWN_PARENT', format(
      'after names job %s, which never existed or has ended without a result that is kept; enqueue parent and child in '
      'one transaction, or keep the parent''s result', found_ends.unknown));
  END IF;
  IF found_ends.has_ended THEN
    PERFORM honker._keep_outcome(given.id, fate.state, NULL, fate.error, now)
    FROM unnest(after) AS given(id) CROSS JOIN LATERAL honker._fate(given.id, now) AS fate
    WHERE fate.state <> 'live'
    ORDER BY given.id;
    PERFORM honker._die_with_parent(child_id, now);
  END IF;
  IF child_id & 15 = 0 THEN
    PERFORM honker._prune_edges(child_id, 32);
  END IF;
  RETURN found_ends.unsettled;
END $$;

-- Adds the edges of a child. Returns how many are open, a parent that is not known, and if one has ended.
CREATE OR REPLACE FUNCTION honker._tie(
  child_id bigint, after bigint[], policy text, now bigint, OUT unsettled bigint, OUT unknown bigint,
  OUT has_ended boolean
) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  place bigint := (SELECT coalesce(max(d.position) + 1, 0) FROM honker.dependencies AS d WHERE d.child_id = child_id);
BEGIN
  WITH parents AS MATERIALIZED (
    SELECT given.id, given.place, fate.state, policy = 'wait' AND fate.can_return AS is_waited_out
    FROM unnest(after) WITH ORDINALITY AS given(id, place) CROSS JOIN LATERAL honker._fate(given.id, now) AS fate
  ), added AS (
    INSERT INTO honker.dependencies AS edge (parent_id, child_id, position, policy, outcome)
    SELECT p.id, child_id, place + p.place - 1,
           -- A failure that cannot be waited out cancels.
           CASE WHEN policy = 'wait' AND p.state IN ('dead', 'cancelled') AND NOT p.is_waited_out THEN 'cancel'
                ELSE policy END,
           CASE WHEN p.state <> 'live' AND NOT p.is_waited_out THEN p.state END
    FROM parents AS p WHERE p.state IS NOT NULL
    RETURNING edge.outcome
  )
  SELECT (SELECT count(*) FROM added AS a WHERE a.outcome IS NULL), min(p.id) FILTER (WHERE p.state IS NULL),
         bool_or(p.state <> 'live')
  INTO unsettled, unknown, has_ended
  FROM parents AS p;
END $$;

-- Makes a dead letter of a live job one of whose parents has failed, if that cancels it.
CREATE OR REPLACE FUNCTION honker._die_with_parent(child_id bigint, now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  child honker.live;
  failure text;
BEGIN
  SELECT honker._failure(d.policy, d.parent_id, d.outcome, o.error, false) INTO failure
  FROM honker.dependencies AS d LEFT JOIN honker.outcomes AS o ON o.job_id = d.parent_id
  WHERE d.child_id = child_id AND d.policy = 'cancel' AND d.outcome IN ('dead', 'cancelled')
  ORDER BY d.position
  LIMIT 1;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT l.* INTO child FROM honker.live AS l WHERE l.id = child_id;
  IF FOUND THEN
    PERFORM honker._bury(child, failure, now);
  END IF;
END $$;
