-- The settings of queues: rows, so that every process and language obeys them.
--
-- A setting that was never set is NULL; one that was removed is -1, 0 or an empty text. Code that fills only unset settings leaves the
-- removed ones alone, or it would undo an operator.

CREATE OR REPLACE FUNCTION honker.honker_queue_settings(queue text) RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  rules honker.queues;
BEGIN
  PERFORM honker._name(queue, 'queue');
  SELECT q.* INTO rules FROM honker.queues AS q WHERE q.name = queue;
  RETURN honker._settings_json(rules);
END $$;

CREATE OR REPLACE FUNCTION honker._settings_json(rules honker.queues) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN json_build_object(
    'concurrency', CASE WHEN rules.concurrency >= 0 THEN rules.concurrency END,
    'concurrency_per_key', CASE WHEN rules.concurrency_per_key >= 0 THEN rules.concurrency_per_key END,
    'ordered', CASE WHEN rules.ordered <> 0 THEN true END,
    'on_dead', nullif(rules.on_dead, ''),
    'rate', CASE WHEN rules.rate_limit > 0 THEN json_build_array(rules.rate_limit, rules.rate_per_s) END,
    'rate_per_key', CASE WHEN rules.key_rate_limit > 0 THEN json_build_array(rules.key_rate_limit, rules.key_rate_per_s) END,
    'burst', CASE WHEN rules.rate_limit > 0 OR rules.key_rate_limit > 0 THEN greatest(coalesce(rules.burst, 1), 1) END,
    'keep_finished_s', CASE WHEN rules.keep_finished_s > 0 THEN rules.keep_finished_s END)::text;
END $$;

-- Changes the settings that are given, and returns all. A process that starts configures its queues each time: nothing is written then.
CREATE OR REPLACE FUNCTION honker.honker_queue_configure(queue text, settings_json text, only_unset bigint DEFAULT NULL)
RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
  given json;
  before honker.queues;
  after honker.queues;
BEGIN
  PERFORM honker._name(queue, 'queue');
  given := honker._json(settings_json, 'settings_json', 'object');
  PERFORM honker._require_known(given, 'settings_json', ARRAY[
    'concurrency', 'concurrency_per_key', 'ordered', 'on_dead', 'rate', 'rate_per_key', 'burst', 'keep_finished_s']);
  SELECT q.* INTO before FROM honker.queues AS q WHERE q.name = queue;
  after := honker._configured(before, given, coalesce(only_unset <> 0, false));
  IF after IS NOT DISTINCT FROM before THEN
    RETURN honker._settings_json(after);
  END IF;
  PERFORM honker._check_writer();
  PERFORM honker._lock_queue(queue);
  INSERT INTO honker.queues AS q (name) VALUES (queue) ON CONFLICT ON CONSTRAINT queues_pkey DO NOTHING;
  SELECT q.* INTO before FROM honker.queues AS q WHERE q.name = queue FOR NO KEY UPDATE;
  after := honker._configured(before, given, coalesce(only_unset <> 0, false));
  PERFORM honker._write_settings(before, after, honker._now());
  PERFORM honker._announce();
  RETURN honker._settings_json(after);
END $$;

CREATE OR REPLACE FUNCTION honker._write_settings(before honker.queues, after honker.queues, now bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE honker.queues AS q
  SET concurrency = after.concurrency, concurrency_per_key = after.concurrency_per_key, ordered = after.ordered,
      on_dead = after.on_dead, rate_limit = after.rate_limit, rate_per_s = after.rate_per_s, key_rate_limit = after.key_rate_limit,
      key_rate_per_s = after.key_rate_per_s, burst = after.burst, keep_finished_s = after.keep_finished_s
  WHERE q.name = after.name;
  IF (honker._key_limit(before), before.ordered, before.on_dead)
      IS DISTINCT FROM (honker._key_limit(after), after.ordered, after.on_dead) THEN
    PERFORM honker._promote_all(after.name, now);
  END IF;
END $$;

-- Promotes the jobs of each key of a queue, whose rules have changed. Beyond ten thousand jobs or keys the rest is left to claims that
-- find nothing.
CREATE OR REPLACE FUNCTION honker._promote_all(queue text, now bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  remaining bigint := 10000;
  key text := '';
BEGIN
  WHILE remaining > 0 LOOP
    key := honker._next_blocked_key(queue, key);
    EXIT WHEN key IS NULL;
    PERFORM honker._lock_key(queue, key);
    remaining := remaining - greatest(honker._promote(queue, key, now), 1);
  END LOOP;
END $$;

-- True if a setting is to be changed.
CREATE OR REPLACE FUNCTION honker._is_asked(given json, setting text, is_decided boolean, only_unset boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT given -> setting IS NOT NULL AND NOT (only_unset AND (json_typeof(given -> setting) = 'null' OR is_decided))
$$;

-- The row with the settings that are given. Of `ordered` and `concurrency_per_key`, code that fills unset settings leaves out the one that
-- an operator's choice of the other excludes.
CREATE OR REPLACE FUNCTION honker._configured(rules honker.queues, given json, only_unset boolean) RETURNS honker.queues
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  was_ordered boolean := only_unset AND coalesce(rules.ordered <> 0, false);
  had_slots boolean := only_unset AND coalesce(rules.concurrency_per_key >= 0 AND rules.concurrency_per_key <> 1, false);
BEGIN
  IF honker._is_asked(given, 'concurrency', rules.concurrency IS NOT NULL, only_unset) THEN
    rules.concurrency := coalesce(honker._count_setting(given -> 'concurrency', 'concurrency', 1000), -1);
  END IF;
  IF NOT was_ordered AND honker._is_asked(given, 'concurrency_per_key', rules.concurrency_per_key IS NOT NULL, only_unset) THEN
    rules.concurrency_per_key := coalesce(honker._count_setting(given -> 'concurrency_per_key', 'concurrency_per_key', 1000), -1);
  END IF;
  IF NOT had_slots AND honker._is_asked(given, 'ordered', rules.ordered IS NOT NULL, only_unset) THEN
    IF json_typeof(given -> 'ordered') NOT IN ('null', 'boolean') THEN
      PERFORM honker._invalid('ordered', format('is %s; it must be true or false', given -> 'ordered'));
    END IF;
    rules.ordered := coalesce((given ->> 'ordered')::boolean, false)::integer;
  END IF;
  IF honker._is_asked(given, 'on_dead', rules.on_dead IS NOT NULL, only_unset) THEN
    rules.on_dead := coalesce(honker._choice_option(given, 'on_dead', ARRAY['block', 'continue']), '');
  END IF;
  rules := honker._with_rates(rules, given, only_unset);
  IF honker._is_asked(given, 'keep_finished_s', rules.keep_finished_s IS NOT NULL, only_unset) THEN
    rules.keep_finished_s := coalesce(honker._span_option(given, 'keep_finished_s') / 1000.0, -1);
  END IF;
  IF rules.ordered <> 0 AND rules.concurrency_per_key >= 0 AND rules.concurrency_per_key <> 1 THEN
    PERFORM honker._invalid('concurrency_per_key', format(
      'is %s in an ordered queue, where one job of a key runs at a time; leave it out', rules.concurrency_per_key));
  END IF;
  RETURN rules;
END $$;

-- The row with the rates that are given. Without a rate there is no burst to keep.
CREATE OR REPLACE FUNCTION honker._with_rates(rules honker.queues, given json, only_unset boolean) RETURNS honker.queues
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  rate json;
BEGIN
  IF honker._is_asked(given, 'burst', rules.burst IS NOT NULL, only_unset) THEN
    rules.burst := coalesce(honker._count_setting(given -> 'burst', 'burst', 1000000), 1);
  END IF;
  IF honker._is_asked(given, 'rate', rules.rate_limit IS NOT NULL, only_unset) THEN
    rate := honker._rate_setting(given, 'rate');
    rules.rate_limit := coalesce((rate ->> 0)::numeric::bigint, -1);
    rules.rate_per_s := (rate ->> 1)::double precision;
  END IF;
  IF honker._is_asked(given, 'rate_per_key', rules.key_rate_limit IS NOT NULL, only_unset) THEN
    rate := honker._rate_setting(given, 'rate_per_key');
    rules.key_rate_limit := coalesce((rate ->> 0)::numeric::bigint, -1);
    rules.key_rate_per_s := (rate ->> 1)::double precision;
  END IF;
  IF NOT (coalesce(rules.rate_limit > 0, false) OR coalesce(rules.key_rate_limit > 0, false)) THEN
    -- A burst that code gives beside a rate is left out with that rate, if an operator has removed the rate.
    IF given ->> 'burst' IS NOT NULL
        AND NOT (only_unset AND (rules.rate_limit IS NOT NULL OR rules.key_rate_limit IS NOT NULL)) THEN
      PERFORM honker._invalid('burst', format(
        'is %s, and the queue has no rate; give rate or rate_per_key as well', given ->> 'burst'));
    END IF;
    rules.burst := NULL;
  END IF;
  RETURN rules;
END $$;

-- A count from 1 on; NULL for null.
CREATE OR REPLACE FUNCTION honker._count_setting(value json, setting text, highest bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF json_typeof(value) = 'null' THEN
    RETURN NULL;
  ELSIF NOT honker._is_integer(value) OR (value #>> '{}')::numeric NOT BETWEEN 1 AND highest THEN
    PERFORM honker._invalid(setting, format('is %s; an integer from 1 to %s, or null, is allowed', value, highest));
  END IF;
  RETURN (value #>> '{}')::numeric::bigint;
END $$;

-- A rate: a pair of starts and seconds; NULL for null.
CREATE OR REPLACE FUNCTION honker._rate_setting(given json, setting text) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  rate json := given -> setting;
BEGIN
  IF json_typeof(rate) = 'null' THEN
    RETURN NULL;
  ELSIF json_typeof(rate) <> 'array' OR json_array_length(rate) <> 2 THEN
    PERFORM honker._invalid(setting, format('is %s; it must be an array of starts and seconds', rate));
  ELSIF honker._count_setting(rate -> 0, setting, 1000000) IS NULL THEN
    PERFORM honker._invalid(setting, 'has null for the number of starts; give an integer');
  ELSIF json_typeof(rate -> 1) <> 'number' OR (rate ->> 1)::numeric <= 0 OR (rate ->> 1)::numeric > 3155760000 THEN
    PERFORM honker._invalid(setting, format('has %s seconds; more than 0 and up to 3155760000 are allowed', rate -> 1));
  END IF;
  RETURN rate;
END $$;
