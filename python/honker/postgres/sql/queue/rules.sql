-- The settings of a queue as claims and keys read them. A queue without a row has none, and pays for none.

-- How many jobs of one key may be in flight; NULL for any number. 1,000 is as far as a claim counts.
CREATE OR REPLACE FUNCTION honker._key_limit(rules honker.queues) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN (rules).ordered <> 0 THEN 1
    WHEN (rules).concurrency_per_key >= 0 THEN least((rules).concurrency_per_key, 1000)
  END
$$;

-- How many jobs of the queue may be in flight; NULL for any number.
CREATE OR REPLACE FUNCTION honker._queue_limit(rules honker.queues) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN (rules).concurrency >= 0 THEN least((rules).concurrency, 1000) END
$$;

-- True if keys matter to a claim.
CREATE OR REPLACE FUNCTION honker._looks_at_keys(rules honker.queues) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(honker._key_limit(rules) IS NOT NULL OR (rules).key_rate_limit > 0 OR (rules).paused_keys > 0, false)
$$;

CREATE OR REPLACE FUNCTION honker._is_paused(rules honker.queues, now bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT (rules).paused_at IS NOT NULL AND coalesce((rules).paused_until > now, true)
$$;

-- True if moves are counted or published: then each is told to honker._moved. In PL/pgSQL, which keeps its plan: a function in SQL that
-- reads a table is planned anew in each transaction (90 us).
CREATE OR REPLACE FUNCTION honker._is_recording() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM 1 FROM honker.meta AS m WHERE m.key IN ('counters', 'events') AND m.value <> 0;
  RETURN FOUND;
END $$;
