-- The end of a parent: its children are counted down, made ready, or end with it. The invariants are in depend.sql.

-- Locks the children of these jobs, live and dead, in the order of their ids. A call that ends several jobs locks the
-- children of all before it ends the first: two calls that end parents of the same children in different orders then do
-- not wait for each other.
CREATE OR REPLACE FUNCTION honker._lock_children(parent_ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  children bigint[] := (SELECT array_agg(d.child_id) FROM honker.dependencies AS d
    WHERE d.parent_id = ANY (parent_ids));
BEGIN
  IF children IS NOT NULL THEN
    PERFORM 1 FROM honker.live AS l WHERE l.id = ANY (children) ORDER BY l.id FOR UPDATE;
    PERFORM 1 FROM honker.dead AS d WHERE d.id = ANY (children) ORDER BY d.id FOR UPDATE;
  END IF;
END $$;

-- Settles the children of a job that has ended, and those of the children that its failure has ended. They follow one
-- generation after the other: honker._bury calls this function for each child, and that call leaves the child to the
-- loop that runs already. So a chain of any length needs no stack. The setting that says so is gone if the transaction,
-- or its savepoint, is rolled back.
CREATE OR REPLACE FUNCTION honker._settle_children(
  parent_id bigint, state text, value text, error text, can_return boolean, now bigint
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  ids bigint[] := ARRAY[parent_id];
  errors text[] := ARRAY[error];
  here integer := 1;
  buried record;
BEGIN
  IF current_setting('honker.is_settling', true) = 'on' THEN
    RETURN;
  END IF;
  PERFORM set_config('honker.is_settling', 'on', true);
  WHILE here <= cardinality(ids) LOOP
    FOR buried IN SELECT b.* FROM honker._settle_edges(ids[here], state, value, errors[here], can_return, now) AS b LOOP
      ids := ids || buried.id;
      errors := errors || buried.error_of;
    END LOOP;
    state := 'dead';
    value := NULL;
    can_return := true;
    here := here + 1;
  END LOOP;
  PERFORM set_config('honker.is_settling', 'off', true);
END $$;

-- Gives the edges of a job that has ended their outcome. Returns the children, with their errors, that are dead letters
-- now and have children of their own. A child that waits for a requeue goes on waiting if the parent can return.
CREATE OR REPLACE FUNCTION honker._settle_edges(
  parent_id bigint, state text, value text, error text, can_return boolean, now bigint
) RETURNS TABLE (id bigint, error_of text) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  edge record;
  child honker.live;
  failure text;
  opened record;
BEGIN
  PERFORM honker._lock_children(ARRAY[parent_id]);
  PERFORM 1 FROM honker.dependencies AS d WHERE d.parent_id = parent_id ORDER BY d.child_id FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM honker._keep_outcome(parent_id, state, value, error, now);
  SELECT array_agg(d.child_id ORDER BY d.child_id) AS children, array_agg(d.policy ORDER BY d.child_id) AS policies
  INTO opened
  FROM honker.dependencies AS d
  WHERE d.parent_id = parent_id AND d.outcome IS NULL AND NOT (can_return AND d.policy = 'wait');
  UPDATE honker.dependencies AS d
  SET outcome = state, policy = CASE WHEN d.policy = 'wait' AND state <> 'done' THEN 'cancel' ELSE d.policy END
  WHERE d.parent_id = parent_id AND d.outcome IS DISTINCT FROM state AND NOT (can_return AND d.policy = 'wait');
  FOR edge IN SELECT e.child_id, e.policy FROM unnest(opened.children, opened.policies) AS e(child_id, policy) LOOP
    SELECT l.* INTO child FROM honker.live AS l WHERE l.id = edge.child_id AND l.state = 'waiting' FOR UPDATE;
    CONTINUE WHEN NOT FOUND;
    failure := honker._failure(edge.policy, parent_id, state, error, can_return);
    IF failure IS NOT NULL THEN
      PERFORM honker._bury(child, failure, now);
      IF child.ties & 8 <> 0 THEN
        id := child.id;
        error_of := failure;
        RETURN NEXT;
      END IF;
    ELSIF coalesce(child.waiting_for, 1) <= 1 THEN
      PERFORM honker._enter(child.id, now);
    ELSE
      UPDATE honker.live AS l SET waiting_for = l.waiting_for - 1 WHERE l.id = child.id;
    END IF;
  END LOOP;
END $$;

-- Forgets the parents of a job that has ended, and the ends of those that no other job needs.
--
-- Two children that end at once do not wait for each other. If they are the last two of a parent, each may see the
-- other's edge, and the end of the parent stays until honker._prune_edges meets it: that harms nothing.
CREATE OR REPLACE FUNCTION honker._forget_parents(child_id bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  parents bigint[];
BEGIN
  WITH gone AS (DELETE FROM honker.dependencies AS d WHERE d.child_id = child_id RETURNING d.parent_id)
  SELECT array_agg(g.parent_id) INTO parents FROM gone AS g;
  IF parents IS NOT NULL THEN
    PERFORM honker._forget_outcomes(parents);
  END IF;
END $$;

-- Deletes the ends of these jobs to which no job is tied. A row that another session holds is passed over. Two
-- statements: the second sees each edge that was committed before the row was locked, and a new edge needs the lock.
CREATE OR REPLACE FUNCTION honker._forget_outcomes(job_ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  held bigint[];
BEGIN
  SELECT array_agg(l.job_id) INTO held
  FROM (SELECT o.job_id FROM honker.outcomes AS o WHERE o.job_id = ANY (job_ids) FOR UPDATE SKIP LOCKED) AS l;
  DELETE FROM honker.outcomes AS o
  WHERE o.job_id = ANY (held) AND NOT EXISTS (SELECT FROM honker.dependencies AS d WHERE d.parent_id = o.job_id);
END $$;

-- True if the failure of a parent keeps a job dead.
CREATE OR REPLACE FUNCTION honker._has_failed_parent(child_id bigint) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  RETURN EXISTS (SELECT FROM honker.dependencies AS d
                 WHERE d.child_id = child_id AND d.outcome IN ('dead', 'cancelled') AND d.policy = 'cancel');
END $$;

-- Ends the power of the parents over a job that has died by itself, or that an operator has requeued. They still tell
-- it their outcomes.
CREATE OR REPLACE FUNCTION honker._detach(child_id bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  UPDATE honker.dependencies AS d SET policy = 'run'
  WHERE d.child_id = child_id AND (d.outcome IS NULL OR d.outcome IN ('dead', 'cancelled')) AND d.policy <> 'run';
END $$;
