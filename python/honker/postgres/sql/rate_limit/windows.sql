-- Fixed-window rate limits.
--
-- Invariant: a window counts no more uses than its limit. A use is one conditional upsert, so sessions of one window
-- take the row one after the other, until the end of their transactions; a use whose transaction is undone does not
-- count. If the clock is set back, the earlier window goes on from its count, if its row is still there.
--
-- There is no sweeper. Each new window deletes a few that have ended; those that another session holds are passed over.

CREATE OR REPLACE FUNCTION honker.honker_rate_limit_try(name text, "limit" bigint, per double precision) RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  length bigint;
  now bigint := honker._now();
  start bigint;
  used bigint;
BEGIN
  PERFORM honker._name(name, 'name');
  IF "limit" < 1 OR per <= 0 THEN
    PERFORM honker._invalid('limit and per', 'must be positive');
  END IF;
  PERFORM honker._integer("limit", 'limit', 1, 9223372036854775807);
  length := honker._positive_span(per, 'per', 3155760000);
  start := now - (now % length + length) % length;
  -- A use of a window that is full writes nothing, and waits for nothing.
  IF (SELECT r.count FROM honker.rate_limits AS r WHERE r.name = name AND r.window_start = start) >= "limit" THEN
    RETURN 0;
  END IF;
  INSERT INTO honker.rate_limits AS r (name, window_start, count, expires_at) VALUES (name, start, 1, start + length)
  ON CONFLICT ON CONSTRAINT rate_limits_key DO UPDATE SET count = r.count + 1 WHERE r.count < "limit"
  RETURNING r.count INTO used;
  IF used = 1 THEN
    PERFORM honker._prune_windows(now);
  END IF;
  RETURN CASE WHEN used IS NULL THEN 0 ELSE 1 END;
END $$;

CREATE OR REPLACE FUNCTION honker._prune_windows(now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  DELETE FROM honker.rate_limits AS r USING (
    SELECT o.name, o.window_start FROM honker.rate_limits AS o WHERE o.expires_at <= now
    ORDER BY o.expires_at LIMIT 4 FOR UPDATE SKIP LOCKED
  ) AS over
  WHERE r.name = over.name AND r.window_start = over.window_start;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_rate_limit_sweep(older_than_s double precision) RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  old_before bigint := honker._now() - honker._span(older_than_s, 'older_than_s');
  swept bigint;
BEGIN
  WITH old AS (
    SELECT r.name, r.window_start FROM honker.rate_limits AS r WHERE r.window_start < old_before FOR UPDATE SKIP LOCKED
  )
  DELETE FROM honker.rate_limits AS r USING old AS o WHERE r.name = o.name AND r.window_start = o.window_start;
  GET DIAGNOSTICS swept = ROW_COUNT;
  RETURN swept;
END $$;
