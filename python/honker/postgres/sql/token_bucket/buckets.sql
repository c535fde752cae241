-- Token buckets: a rate that may be exceeded by a burst, without the edges of fixed windows.
--
-- A row holds the number of missing tokens and the time of that count. Since then the bucket has been refilled at the
-- rate that the caller gives, up to its capacity. A full bucket needs no row.
-- - *Two sessions.* A call that takes tokens locks the row until the end of its transaction, so each token is taken
--   once. A new bucket is one insert; a session that loses the race counts again.
-- - *The session dies.* Its tokens are given back.
-- - *The clock is set back.* Nothing has been refilled, and counting goes on from the new time: that neither makes
--   tokens nor withholds them until the clock has caught up.

CREATE OR REPLACE FUNCTION honker.honker_token_bucket_take(
  name text, capacity double precision, refill_per_s double precision, tokens double precision
) RETURNS double precision LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  bucket honker.token_buckets;
  wait double precision;
BEGIN
  PERFORM honker._name(name, 'name');
  PERFORM honker._positive_number(capacity, 'capacity', 1e9);
  PERFORM honker._positive_number(refill_per_s, 'refill_per_s', 1e9);
  PERFORM honker._positive_number(tokens, 'tokens', 1e9);
  IF tokens > capacity THEN
    PERFORM honker._invalid('tokens', format('is %s; the bucket never holds more than %s', tokens, capacity));
  END IF;
  -- Below this, quotients of doubles overflow. A token would take longer than any database exists.
  refill_per_s := greatest(refill_per_s, 1e-200);
  -- A call that gets no tokens writes nothing, and waits for nothing.
  SELECT b.* INTO bucket FROM honker.token_buckets AS b WHERE b.name = name;
  IF bucket.counted_at <= honker._now() THEN
    wait := honker._bucket_wait(bucket, capacity, refill_per_s, tokens, honker._now());
    IF wait > 0 THEN
      RETURN wait;
    END IF;
  END IF;
  LOOP
    SELECT b.* INTO bucket FROM honker.token_buckets AS b WHERE b.name = name FOR UPDATE;
    wait := honker._take_tokens(bucket, name, capacity, refill_per_s, tokens, honker._now());
    IF wait IS NOT NULL THEN
      RETURN wait;
    END IF;
  END LOOP;
END $$;

-- The tokens that a bucket lacks now. A caller with a larger capacity may have taken more than this one holds.
CREATE OR REPLACE FUNCTION honker._missing(
  bucket honker.token_buckets, capacity double precision, refill_per_s double precision, now bigint
) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(least(greatest(
    (bucket).missing - greatest(now - (bucket).counted_at, 0) * (refill_per_s / 1000), 0), capacity), 0)
$$;

-- The seconds until a bucket has enough tokens, in whole milliseconds; 0 if it has them. A wait of less than a
-- millionth of a millisecond is the error of binary fractions.
CREATE OR REPLACE FUNCTION honker._bucket_wait(
  bucket honker.token_buckets, capacity double precision, refill_per_s double precision, tokens double precision,
  now bigint
) RETURNS double precision LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  wait_ms double precision :=
    (honker._missing(bucket, capacity, refill_per_s, now) + tokens - capacity) / (refill_per_s / 1000) - 1e-6;
BEGIN
  RETURN CASE WHEN wait_ms > 0 THEN ceil(wait_ms) / 1000 ELSE 0 END;
END $$;

-- Takes tokens from a bucket that is locked, or from one without a row. Returns the wait, or NULL if another session
-- has made the row.
CREATE OR REPLACE FUNCTION honker._take_tokens(
  bucket honker.token_buckets, name text, capacity double precision, refill_per_s double precision,
  tokens double precision, now bigint
) RETURNS double precision LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  missing double precision := honker._missing(bucket, capacity, refill_per_s, now);
  wait double precision := honker._bucket_wait(bucket, capacity, refill_per_s, tokens, now);
  full_at bigint;
BEGIN
  IF wait > 0 AND bucket.counted_at <= now THEN
    RETURN wait;
  ELSIF wait = 0 THEN
    missing := least(missing + tokens, capacity);
  END IF;
  full_at := now + ceil(least(missing / refill_per_s, 1e12) * 1000)::bigint;
  IF bucket.name IS NOT NULL THEN
    UPDATE honker.token_buckets AS b SET missing = missing, counted_at = now, full_at = full_at WHERE b.name = name;
    RETURN wait;
  END IF;
  INSERT INTO honker.token_buckets AS b (name, missing, counted_at, full_at) VALUES (name, missing, now, full_at)
  ON CONFLICT ON CONSTRAINT token_buckets_pkey DO NOTHING;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  PERFORM honker._prune_buckets(now);
  RETURN wait;
END $$;

-- Deletes a few buckets that are full again. Those that another session holds are passed over.
CREATE OR REPLACE FUNCTION honker._prune_buckets(now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  DELETE FROM honker.token_buckets AS b USING (
    SELECT f.name FROM honker.token_buckets AS f WHERE f.full_at <= now
    ORDER BY f.full_at LIMIT 4 FOR UPDATE SKIP LOCKED
  ) AS full_again
  WHERE b.name = full_again.name;
END $$;
