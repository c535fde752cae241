-- Locks of queues and keys, held until the end of the transaction. Plain jobs of plain queues need none of them.
--
-- `_lock_queue` orders the claims of a queue with a limit, and changes of its settings and pauses. `_lock_key` orders all that
-- moves jobs of a key: exclusive for claims and exits, shared for an enqueue, which only adds to the line.
--
-- Order: the queue, then keys, then rows. A move locks the key of a job before its row. A claim has its rows first, so it only
-- tries the keys, and passes over a job whose key is locked. Where two transactions take keys in different orders, PostgreSQL ends
-- one of them (40P01), and its caller tries again.
--
-- Keys share 1,024 locks, since the shared lock table of a server has room for some thousands: a bulk enqueue may name a
-- hundred thousand keys. Two keys of one lock wait for each other, and nothing else.

CREATE OR REPLACE FUNCTION honker._lock_queue(queue text) RETURNS void LANGUAGE sql VOLATILE AS $$
  SELECT pg_advisory_xact_lock(1752133740, hashtext(queue))
$$;

CREATE OR REPLACE FUNCTION honker._key_number(queue text, key text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
  SELECT hashtext(queue || E'\n' || key) & 1023
$$;

CREATE OR REPLACE FUNCTION honker._lock_key(queue text, key text) RETURNS void LANGUAGE sql VOLATILE AS $$
  SELECT pg_advisory_xact_lock(1752133741, honker._key_number(queue, key))
$$;

CREATE OR REPLACE FUNCTION honker._lock_key_shared(queue text, key text) RETURNS void LANGUAGE sql VOLATILE AS $$
  SELECT pg_advisory_xact_lock_shared(1752133741, honker._key_number(queue, key))
$$;

CREATE OR REPLACE FUNCTION honker._try_lock_key(queue text, key text) RETURNS boolean LANGUAGE sql VOLATILE AS $$
  SELECT pg_try_advisory_xact_lock(1752133741, honker._key_number(queue, key))
$$;

-- Plans. Each public function of this folder keeps one plan a statement and session, whatever the values: a plan made anew for each
-- call takes 0.5 ms, ten times its execution. Seq scans and bitmap scans are off in them, because such a plan may be made while the
-- tables are empty, and stays until they are analyzed.
