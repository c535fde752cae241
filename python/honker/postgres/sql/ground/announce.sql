-- Wakes waiters at the commit of this transaction.
--
-- A NOTIFY takes a lock of the whole server at its commit, so it is sent only if a process waits. A waiter holds the lock IDLE
-- (shared) in its session. A writer takes WRITING (shared) until its commit, and then tries IDLE: if that fails, a waiter is there
-- and is notified. A waiter that has just begun to wait tries WRITING: if that fails, a writer that has not seen it has not
-- committed yet, and it looks again soon; if it succeeds, every later writer sees it. So no commit is missed by both.
-- The numbers are the first half of these locks' keys: IDLE is (1752133739, 1), WRITING is (1752133739, 2).
CREATE OR REPLACE FUNCTION honker._announce() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- In conditions, which PL/pgSQL evaluates without a query. None of the first kind is NULL.
  IF pg_advisory_xact_lock_shared(1752133739, 2) IS NULL THEN
    RETURN;
  ELSIF NOT pg_try_advisory_lock(1752133739, 1) THEN
    PERFORM pg_notify('honker', '');
  ELSIF pg_advisory_unlock(1752133739, 1) THEN
    RETURN;
  END IF;
END $$;
