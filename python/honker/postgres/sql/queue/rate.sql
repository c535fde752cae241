-- Rates of starts, by the generic cell rate algorithm: one number per rate, the time at which the next start is due.
--
-- A start at `now` is allowed when `now` is not earlier than `next - tolerance`; then `next = max(next, now - late) + interval`.
-- `tolerance` is `(burst - 1) * interval`. `late` is small: a worker wakes some milliseconds after the time, and without it each of
-- these would be lost. So any window of `per_s` seconds has at most `limit + burst - 1` starts, and one more where workers were
-- late.
--
-- The number is read and written under the lock of the queue, or of the key, by the transaction of the claim. A claim that is
-- undone gives its start back.

-- Milliseconds between two starts.
CREATE OR REPLACE FUNCTION honker._interval(rate_limit bigint, per_s double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$ SELECT per_s * 1000 / rate_limit $$;

-- The lateness of a worker that is made up for: 20 ms, if that is less than an interval.
CREATE OR REPLACE FUNCTION honker._lateness(step double precision) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
  SELECT greatest(least(20, step - 1), 0)
$$;

-- The time of the next start of a queue that counts, by the one that is stored. A clock that was set back makes the stored one
-- lie further in the future than a full burst allows; then it counts as if the starts were taken now.
CREATE OR REPLACE FUNCTION honker._next_start(rules honker.queues, now bigint) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
  SELECT least(
    greatest((rules).next_start_ms, now - honker._lateness(honker._interval((rules).rate_limit, (rules).rate_per_s))),
    now + honker._interval((rules).rate_limit, (rules).rate_per_s)
      * (greatest(coalesce((rules).burst, 1), 1) - 1 + (rules).rate_limit))
$$;

-- How many of `wanted` jobs the rate of a queue allows to start now. A thousandth of a millisecond is the error of fractions.
CREATE OR REPLACE FUNCTION honker._starts_allowed(rules honker.queues, wanted bigint, now bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  step double precision := honker._interval(rules.rate_limit, rules.rate_per_s);
  ahead double precision := now + (greatest(coalesce(rules.burst, 1), 1) - 1) * step + 0.001 - honker._next_start(rules, now);
BEGIN
  RETURN CASE WHEN ahead < 0 THEN 0 ELSE least(wanted, floor(least(ahead / step, 1e6))::bigint + 1) END;
END $$;

-- The first instant at which the rate of a queue allows a start; NULL without a rate.
CREATE OR REPLACE FUNCTION honker._first_start(rules honker.queues, now bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF coalesce(rules.rate_limit > 0 AND rules.rate_per_s > 0, false) THEN
    RETURN ceil(honker._next_start(rules, now)
      - (greatest(coalesce(rules.burst, 1), 1) - 1) * honker._interval(rules.rate_limit, rules.rate_per_s) - 0.001)::bigint;
  END IF;
  RETURN NULL;
END $$;

-- Gives out the next start of a key, which may be to come. The caller has locked the key.
CREATE OR REPLACE FUNCTION honker._reserve_start(rules honker.queues, key text, now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  step double precision := honker._interval(rules.key_rate_limit, rules.key_rate_per_s);
  next double precision;
BEGIN
  SELECT k.next_start_ms INTO next FROM honker.keys AS k WHERE k.queue = rules.name AND k.key = key;
  next := greatest(next, now - honker._lateness(step));
  INSERT INTO honker.keys AS k (queue, key, next_start_ms) VALUES (rules.name, key, next + step)
  ON CONFLICT ON CONSTRAINT keys_key DO UPDATE SET next_start_ms = excluded.next_start_ms;
  RETURN ceil(next - (greatest(coalesce(rules.burst, 1), 1) - 1) * step - 0.001)::bigint;
END $$;

-- Deletes a few keys of which only a next start is known that has passed. A key without a row may start at once.
CREATE OR REPLACE FUNCTION honker._prune_keys(now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  DELETE FROM honker.keys AS k USING (
    SELECT e.queue, e.key FROM honker.keys AS e
    WHERE e.paused_at IS NULL AND e.head_id IS NULL AND e.next_start_ms < now - 1000
    ORDER BY e.next_start_ms LIMIT 4 FOR UPDATE SKIP LOCKED
  ) AS over
  WHERE k.queue = over.queue AND k.key = over.key;
END $$;
