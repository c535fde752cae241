-- Named locks with a lease and a fencing token.
--
-- Invariant: at most one owner holds a name at any instant, and of two holders the later has the larger token. A store
-- that remembers the largest token it has seen can refuse a holder whose lease has lapsed.
-- - *Two sessions.* Those that may take a name wait for each other (_lock_name) until the end of the transaction. The
--   token is drawn under that lock: drawn before it, the later holder could have the smaller one. Renewals and releases
--   lock the row.
-- - *The session dies.* Before its commit, nothing has happened. After it, the lock is free once it lapses.
-- - *The clock jumps.* A lock keeps the instant from which its length was measured. Where that is to come, another
--   owner's call measures the same length from now: the holder keeps the lock for no less than its length, and others
--   wait for no longer. A lock that ends later than any lock may was taken by a clock that was ahead, and is free.

-- The latest end of a lock that is held now: the longest lease, and a day for a correction of the clock.
CREATE OR REPLACE FUNCTION honker._latest_lock_end(now bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT now + 31536000000 + 86400000
$$;

CREATE OR REPLACE FUNCTION honker._is_held(lock honker.locks, now bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce((lock).expires_at > now AND (lock).expires_at <= honker._latest_lock_end(now), false)
$$;

-- Names share 1,024 locks: see queue/locks.sql.
CREATE OR REPLACE FUNCTION honker._lock_name(name text) RETURNS void LANGUAGE sql VOLATILE AS $$
  SELECT pg_advisory_xact_lock(1752133745, hashtext(name) & 1023)
$$;

CREATE OR REPLACE FUNCTION honker.honker_lock_acquire(name text, owner text, ttl_s double precision) RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  ttl bigint;
  now bigint := honker._now();
  holder honker.locks;
BEGIN
  PERFORM honker._name(name, 'name');
  PERFORM honker._name(owner, 'owner');
  ttl := honker._lease(ttl_s, 'ttl_s');
  SELECT l.* INTO holder FROM honker.locks AS l WHERE l.name = name;
  -- An attempt that fails writes nothing, and waits for nothing.
  IF honker._is_held(holder, now) AND holder.owner <> owner AND holder.taken_at <= now THEN
    RETURN 0;
  END IF;
  PERFORM honker._lock_name(name);
  now := honker._now();
  SELECT l.* INTO holder FROM honker.locks AS l WHERE l.name = name FOR UPDATE;
  IF NOT honker._is_held(holder, now) THEN
    PERFORM honker._take_lock(name, owner, now + ttl, now);
    RETURN 1;
  ELSIF holder.owner = owner THEN
    UPDATE honker.locks AS l SET expires_at = now + ttl, taken_at = now WHERE l.name = name;
    PERFORM honker._announce();
    RETURN 1;
  ELSIF now < holder.taken_at AND holder.taken_at < holder.expires_at THEN
    UPDATE honker.locks AS l SET expires_at = now + holder.expires_at - holder.taken_at, taken_at = now
    WHERE l.name = name;
    PERFORM honker._announce();
  END IF;
  RETURN 0;
END $$;

-- Makes an owner the holder of a free or lapsed lock. The caller has locked the name.
CREATE OR REPLACE FUNCTION honker._take_lock(name text, owner text, expires_at bigint, now bigint) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  INSERT INTO honker.locks AS l (name, owner, taken_at, expires_at, token)
  VALUES (name, owner, now, expires_at, nextval('honker.lock_tokens'))
  ON CONFLICT ON CONSTRAINT locks_pkey DO UPDATE
  SET owner = excluded.owner, taken_at = excluded.taken_at, expires_at = excluded.expires_at, token = excluded.token;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_lock_release(name text, owner text) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  PERFORM honker._name(name, 'name');
  PERFORM honker._name(owner, 'owner');
  DELETE FROM honker.locks AS l WHERE l.name = name AND l.owner = owner;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  PERFORM honker._announce();
  RETURN 1;
END $$;

-- A lapsed lock is not revived: another owner may have held it in between.
CREATE OR REPLACE FUNCTION honker.honker_lock_renew(name text, owner text, ttl_s double precision) RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  ttl bigint;
  now bigint := honker._now();
BEGIN
  PERFORM honker._name(name, 'name');
  PERFORM honker._name(owner, 'owner');
  ttl := honker._lease(ttl_s, 'ttl_s');
  -- A renewal may have waited for the row while the lock lapsed.
  PERFORM 1 FROM honker.locks AS l WHERE l.name = name AND l.owner = owner AND l.expires_at > now FOR UPDATE;
  now := honker._now();
  UPDATE honker.locks AS l SET expires_at = now + ttl, taken_at = now
  WHERE l.name = name AND l.owner = owner AND honker._is_held(l, now);
  RETURN CASE WHEN FOUND THEN 1 ELSE 0 END;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_lock_token(name text, owner text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
BEGIN
  PERFORM honker._name(name, 'name');
  PERFORM honker._name(owner, 'owner');
  RETURN (SELECT l.token FROM honker.locks AS l WHERE l.name = name AND l.owner = owner AND honker._is_held(l, now));
END $$;

CREATE OR REPLACE FUNCTION honker.honker_lock_expires_at(name text) RETURNS double precision
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
BEGIN
  PERFORM honker._name(name, 'name');
  RETURN (SELECT l.expires_at / 1000.0 FROM honker.locks AS l WHERE l.name = name AND honker._is_held(l, now));
END $$;
