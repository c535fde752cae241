-- A dead parent lives again: its children wait for it again that its failure has made dead letters.

-- Makes the children of a requeued job wait again that its failure has cancelled, and which no other failure keeps
-- dead; then their children, one generation after the other.
--
-- Two parents of one child that are requeued at once: each locks the child before it looks at the other's edge, so the
-- second sees what the first has done, and brings the child back.
CREATE OR REPLACE FUNCTION honker._revive_children(parent_id bigint, now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  ids bigint[] := ARRAY[parent_id];
  here integer := 1;
  children bigint[];
  letter honker.dead;
BEGIN
  WHILE here <= cardinality(ids) LOOP
    PERFORM honker._lock_children(ARRAY[ids[here]]);
    WITH reopened AS (
      UPDATE honker.dependencies AS d SET outcome = NULL
      WHERE d.parent_id = ids[here] AND d.policy = 'cancel' AND d.outcome = 'dead'
      RETURNING d.child_id
    )
    SELECT array_agg(r.child_id ORDER BY r.child_id) INTO children FROM reopened AS r;
    UPDATE honker.outcomes AS o SET state = 'requeued' WHERE o.job_id = ids[here];
    FOR letter IN SELECT d.* FROM honker.dead AS d WHERE d.id = ANY (children) ORDER BY d.id LOOP
      CONTINUE WHEN honker._has_failed_parent(letter.id);
      IF honker._revive(letter, now) AND letter.ties & 8 <> 0 THEN
        ids := ids || letter.id;
      END IF;
    END LOOP;
    here := here + 1;
  END LOOP;
END $$;

-- Makes a dead letter wait for its parents again. One whose unique key another job has taken since stays dead: no
-- requeue fails because of a job that it does not name.
CREATE OR REPLACE FUNCTION honker._revive(letter honker.dead, now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  unsettled bigint := (SELECT count(*) FROM honker.dependencies AS d
    WHERE d.child_id = letter.id AND d.outcome IS NULL);
BEGIN
  letter.last_error := NULL;
  IF NOT honker._restore(letter, 'waiting', unsettled, letter.run_at, now) THEN
    PERFORM honker._detach(letter.id);
    RETURN false;
  END IF;
  RETURN true;
END $$;
