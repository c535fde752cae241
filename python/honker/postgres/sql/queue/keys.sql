-- Keys: jobs of one key share a limit.
--
-- Invariant: a key with blocked jobs has its limit in flight, or a candidate: a due, pending job of it. So a claim that meets
-- candidates only never misses a key, and a full key keeps its many jobs out of the way of others: they are blocked, and no claim
-- walks over them.
--
-- It is kept by three rules. (1) A job is blocked by an enqueue that finds its key occupied, or in a call that then promotes its key.
-- (2) Each move out of `processing` or `pending` of a keyed job promotes its key, in the same transaction: the best blocked
-- job becomes a candidate while there is room. (3) Occupancy is counted from rows, never kept: a lease is the slot.
--
-- - *Two sessions.* Claims and exits of a key hold its lock, an enqueue holds it shared (see locks.sql), until they commit. So each
--   counts what the others have committed. Two enqueues at once may both become candidates; the claim takes as many as there is
--   room for, and blocks the others.
-- - *The session dies.* The move and the promotion are undone together.
-- - *A DELETE by hand, or settings that change while a job is added,* may leave blocked jobs with nothing in flight and no
--   candidate. A claim that finds nothing looks at a few keys for that (honker._rescue).
--
-- The clock is read anew under the lock of the key (honker._now_of_key). A call that had to wait for the lock would take a job that was
-- promoted meanwhile for one that is not due, and promote another one before it.
--
-- Order: a blocked row has its creation as `run_at`, so the best blocked job is that of the highest priority that was enqueued
-- first. A promoted row has the time of its promotion, so it joins the back of its priority, and keys take turns.

-- The time, not before `now`.
CREATE OR REPLACE FUNCTION honker._now_of_key(now bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT greatest(now, honker._now())
$$;

-- True if a new job of this key and priority, due now, must be blocked. The caller has locked the key, shared at least.
CREATE OR REPLACE FUNCTION honker._is_full(rules honker.queues, queue text, key text, priority bigint, now bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  most bigint := honker._key_limit(rules);
  in_flight bigint;
BEGIN
  now := honker._now_of_key(now);
  IF honker._is_held_up(rules, queue, key, NULL, now) OR EXISTS (
      SELECT 1 FROM honker.live AS l WHERE l.queue = queue AND l.key = key AND l.state = 'blocked') THEN
    RETURN true;
  ELSIF most IS NULL THEN
    RETURN false;
  END IF;
  in_flight := honker._in_flight(queue, key, most);
  RETURN in_flight + honker._candidates(queue, key, priority, most - in_flight, now) >= most;
END $$;

-- How many jobs of a key are in flight, counted up to a limit.
CREATE OR REPLACE FUNCTION honker._in_flight(queue text, key text, most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  RETURN (SELECT count(*) FROM (
    SELECT 1 FROM honker.live AS l WHERE l.queue = queue AND l.key = key AND l.state = 'processing' LIMIT most
  ) AS counted);
END $$;

-- How many due, pending jobs of a key have this priority or a better one, counted up to a limit. One seek for each level, so that
-- delayed jobs are not walked over.
CREATE OR REPLACE FUNCTION honker._candidates(queue text, key text, least_priority bigint, most bigint, now bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  counted bigint := 0;
  level bigint;
  above bigint;
BEGIN
  WHILE counted < most LOOP
    SELECT l.priority INTO level FROM honker.live AS l
    WHERE l.queue = queue AND l.key = key AND l.state = 'pending' AND l.priority >= least_priority
      AND (above IS NULL OR l.priority < above)
    ORDER BY l.priority DESC LIMIT 1;
    EXIT WHEN NOT FOUND;
    counted := counted + (SELECT count(*) FROM (
      SELECT 1 FROM honker.live AS l
      WHERE l.queue = queue AND l.key = key AND l.state = 'pending' AND l.priority = level AND l.run_at <= now
      LIMIT most - counted
    ) AS due);
    above := level;
  END LOOP;
  RETURN counted;
END $$;

-- The blocked job of a key that is first in its line. Its `run_at` is its creation.
CREATE OR REPLACE FUNCTION honker._first_blocked(queue text, key text) RETURNS honker.live LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  first honker.live;
BEGIN
  SELECT l.* INTO first FROM honker.live AS l
  WHERE l.queue = queue AND l.key = key AND l.state = 'blocked'
  ORDER BY l.priority DESC, l.run_at, l.id LIMIT 1;
  RETURN first;
END $$;

-- True if the key is paused, or its line waits for a head that is not `id`.
CREATE OR REPLACE FUNCTION honker._is_held_up(rules honker.queues, queue text, key text, id bigint, now bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  facts honker.keys;
BEGIN
  IF NOT coalesce(rules.paused_keys > 0, false) AND NOT coalesce(rules.ordered <> 0, false) THEN
    RETURN false;
  END IF;
  SELECT k.* INTO facts FROM honker.keys AS k WHERE k.queue = queue AND k.key = key;
  IF facts.paused_at IS NOT NULL AND coalesce(facts.paused_until > now, true) THEN
    RETURN true;
  ELSIF NOT coalesce(rules.ordered <> 0, false) OR facts.head_id IS NULL OR facts.head_id = id THEN
    RETURN false;
  END IF;
  -- The head is between two attempts, or dead. One that stands in the line again does not keep it waiting.
  RETURN EXISTS (SELECT 1 FROM honker.live AS l
                 WHERE l.id = facts.head_id AND l.queue = queue AND l.key = key AND l.state <> 'blocked')
    OR (rules.on_dead IS DISTINCT FROM 'continue' AND EXISTS (
      SELECT 1 FROM honker.dead AS d WHERE d.id = facts.head_id AND d.queue = queue AND d.key = key));
END $$;

-- True if a pending job is the head for which the line of an ordered queue waits.
CREATE OR REPLACE FUNCTION honker._is_head(rules honker.queues, queue text, key text, id bigint) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  RETURN coalesce(rules.ordered <> 0, false) AND EXISTS (
    SELECT 1 FROM honker.keys AS k WHERE k.queue = queue AND k.key = key AND k.head_id = id);
END $$;

-- How many blocked jobs of the priority of `first`, which is first in the line of its key, may become candidates.
CREATE OR REPLACE FUNCTION honker._room(rules honker.queues, first honker.live, now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  most bigint := honker._key_limit(rules);
  free bigint;
BEGIN
  IF honker._is_held_up(rules, first.queue, first.key, first.id, now) THEN
    RETURN 0;
  ELSIF most IS NULL THEN
    RETURN 1000;
  END IF;
  free := most - honker._in_flight(first.queue, first.key, most);
  RETURN free - honker._candidates(first.queue, first.key, first.priority, free, now);
END $$;

-- Makes the best blocked jobs of a key candidates while it has room, a thousand at most. The caller has locked the key.
CREATE OR REPLACE FUNCTION honker._promote(queue text, key text, now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  rules honker.queues;
  first honker.live;
  room bigint;
  promoted bigint := 0;
  moved bigint;
BEGIN
  now := honker._now_of_key(now);
  SELECT q.* INTO rules FROM honker.queues AS q WHERE q.name = queue;
  WHILE promoted < 1000 LOOP
    first := honker._first_blocked(queue, key);
    EXIT WHEN first.id IS NULL;
    room := least(honker._room(rules, first, now), 1000 - promoted);
    EXIT WHEN room <= 0;
    -- Jobs of one priority share the room that one look finds. A job of a lower priority has no more room.
    UPDATE honker.live AS l SET state = 'pending', run_at = now FROM (
      SELECT b.id FROM honker.live AS b
      WHERE b.queue = queue AND b.key = key AND b.state = 'blocked' AND b.priority = first.priority
      ORDER BY b.run_at, b.id LIMIT room
    ) AS best
    WHERE l.id = best.id AND l.state = 'blocked';
    GET DIAGNOSTICS moved = ROW_COUNT;
    promoted := promoted + moved;
    EXIT WHEN moved = 0 OR moved = room;
  END LOOP;
  RETURN promoted;
END $$;

-- Takes a job that waits into the line of its key: it becomes pending, or blocked if others go first.
CREATE OR REPLACE FUNCTION honker._enter(job_id bigint, now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  job honker.live;
  rules honker.queues;
BEGIN
  SELECT l.* INTO job FROM honker.live AS l WHERE l.id = job_id AND l.state IN ('waiting', 'pending');
  IF job.key IS NOT NULL THEN
    SELECT q.* INTO rules FROM honker.queues AS q WHERE q.name = job.queue;
    IF honker._looks_at_keys(rules) AND job.run_at <= now AND NOT honker._is_head(rules, job.queue, job.key, job.id) THEN
      PERFORM honker._lock_key(job.queue, job.key);
      UPDATE honker.live AS l SET state = 'blocked', run_at = l.created_at, waiting_for = NULL
      WHERE l.id = job_id AND l.state IN ('waiting', 'pending');
      PERFORM honker._promote(job.queue, job.key, now);
      RETURN;
    END IF;
  END IF;
  -- A time of its own that is still to come stays.
  UPDATE honker.live AS l SET state = 'pending', run_at = greatest(l.run_at, now), waiting_for = NULL
  WHERE l.id = job_id AND l.state = 'waiting';
END $$;

-- Writes what follows from a move of a keyed job out of its state, after it: in an ordered queue a job that waits for its next
-- attempt, or is dead, stays the head of its line until it has ended; and the best blocked job may run. The caller has locked the key.
CREATE OR REPLACE FUNCTION honker._leave_line(job honker.live, stays_head boolean, now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  rules honker.queues;
BEGIN
  SELECT q.* INTO rules FROM honker.queues AS q WHERE q.name = job.queue;
  IF NOT honker._looks_at_keys(rules) THEN
    RETURN;
  ELSIF rules.ordered <> 0 AND stays_head THEN
    INSERT INTO honker.keys AS k (queue, key, head_id) VALUES (job.queue, job.key, job.id)
    ON CONFLICT ON CONSTRAINT keys_key DO UPDATE SET head_id = excluded.head_id;
  ELSIF rules.ordered <> 0 THEN
    UPDATE honker.keys AS k SET head_id = NULL WHERE k.queue = job.queue AND k.key = job.key AND k.head_id = job.id;
    DELETE FROM honker.keys AS k
    WHERE k.queue = job.queue AND k.key = job.key AND k.paused_at IS NULL AND k.head_id IS NULL AND k.next_start_ms IS NULL;
  END IF;
  PERFORM honker._promote(job.queue, job.key, now);
END $$;

-- Locks the key of a job that is about to move, if it has one that matters, and those of the jobs that wait for it: its end may take
-- them into their lines.
CREATE OR REPLACE FUNCTION honker._lock_line(job honker.live) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF job.ties & 8 <> 0 THEN
    PERFORM honker._lock_lines(ARRAY[ROW(job.id, NULL)::honker.claim]);
  ELSIF job.key IS NOT NULL AND EXISTS (SELECT 1 FROM honker.queues AS q WHERE q.name = job.queue) THEN
    PERFORM honker._lock_key(job.queue, job.key);
  END IF;
END $$;
