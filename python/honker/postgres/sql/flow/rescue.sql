-- Parents that have ended without settling their edges, and children that have gone without taking theirs away: by a
-- DELETE by hand, or in a database that was restored in part.

-- An open edge of a job whose parent cannot end any more, with the end that it is taken to have had; NULLs if there is
-- none. One open edge is looked at. If its parent can end, the job waits for that, and the others can be looked at
-- then. A job that is gone in silence is taken for a success: that is how an ack leaves.
CREATE OR REPLACE FUNCTION honker._lost_parent(child_id bigint, now bigint, OUT id bigint, OUT state text,
  OUT error text)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  edge record;
  fate record;
BEGIN
  SELECT d.parent_id, d.policy INTO edge FROM honker.dependencies AS d
    WHERE d.child_id = child_id AND d.outcome IS NULL LIMIT 1;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT f.* INTO fate FROM honker._fate(edge.parent_id, now) AS f;
  IF fate.state IS DISTINCT FROM 'live' AND NOT (edge.policy = 'wait' AND coalesce(fate.can_return, false)) THEN
    id := edge.parent_id;
    state := coalesce(fate.state, 'done');
    error := fate.error;
  END IF;
END $$;

-- Settles the edges of lost parents of a few waiting jobs of a queue: for a claim that has found nothing. The next call
-- in this session goes on behind them. True if there was a lost parent.
CREATE OR REPLACE FUNCTION honker._rescue_waiting(queue text, now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  place text := current_setting('honker.rescued_to', true);
  from_run_at bigint := -9223372036854775808;
  from_id bigint := 0;
  waiting record;
  lost record;
  has_found boolean := false;
  looked_at integer := 0;
BEGIN
  IF place LIKE '% % ' || md5(queue) THEN
    from_run_at := split_part(place, ' ', 1)::bigint;
    from_id := split_part(place, ' ', 2)::bigint;
  END IF;
  FOR waiting IN
    SELECT l.run_at, l.id FROM honker.live AS l
    WHERE l.queue = queue AND l.state = 'waiting' AND l.state NOT IN ('pending', 'processing')
      AND (l.run_at, l.id) > (from_run_at, from_id)
    ORDER BY l.run_at, l.id
    LIMIT 16
  LOOP
    looked_at := looked_at + 1;
    place := format('%s %s %s', waiting.run_at, waiting.id, md5(queue));
    FOR turn IN 1..256 LOOP
      SELECT l.* INTO lost FROM honker._lost_parent(waiting.id, now) AS l;
      EXIT WHEN lost.id IS NULL;
      PERFORM honker._settle_children(lost.id, lost.state, NULL, lost.error, false, now);
      has_found := true;
    END LOOP;
  END LOOP;
  IF looked_at = 16 OR from_id <> 0 THEN
    PERFORM set_config('honker.rescued_to', CASE WHEN looked_at = 16 THEN place ELSE '' END, false);
  END IF;
  RETURN has_found;
END $$;

-- Deletes the edges of jobs that are gone, and ends of parents that no job needs, of the next few after a place that
-- differs from call to call: the bits of a golden ratio spread successive ids over all of them, and nothing has to be
-- remembered.
CREATE OR REPLACE FUNCTION honker._prune_edges(seed bigint, looks integer) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  largest bigint := (SELECT max(d.child_id) FROM honker.dependencies AS d);
  share double precision := seed * 0.6180339887498949::double precision;
  place bigint;
  child bigint;
  ends bigint[];
BEGIN
  share := share - floor(share);
  place := floor(share * coalesce(largest, 0))::bigint - 1;
  FOR look IN 1..looks LOOP
    SELECT min(d.child_id) INTO child FROM honker.dependencies AS d WHERE d.child_id > place AND d.child_id <> seed;
    EXIT WHEN child IS NULL;
    -- A child whose enqueue has not committed yet is not seen, and neither are its edges.
    IF NOT EXISTS (SELECT FROM honker.live AS l WHERE l.id = child)
        AND NOT EXISTS (SELECT FROM honker.dead AS d WHERE d.id = child) THEN
      PERFORM honker._forget_parents(child);
    END IF;
    place := child;
  END LOOP;
  ends := ARRAY(SELECT o.job_id FROM honker.outcomes AS o WHERE o.job_id > floor(share * seed)::bigint - 1
    ORDER BY o.job_id LIMIT looks);
  ends := ARRAY(SELECT e.id FROM unnest(ends) AS e(id)
    WHERE NOT EXISTS (SELECT FROM honker.dependencies AS d WHERE d.parent_id = e.id));
  IF ends <> '{}' THEN
    PERFORM honker._forget_outcomes(ends);
  END IF;
END $$;
