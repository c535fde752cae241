-- Streams with the lag of their consumers.

CREATE OR REPLACE FUNCTION honker.honker_stream_list(after text, n bigint) RETURNS text
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_variable
DECLARE
  until timestamptz := honker._inspect_until();
  streams json[] := '{}';
  -- Consumers that this page may still read.
  remaining bigint := 4000;
  last text := after;
  topic text;
  next text;
  consumers json[];
BEGIN
  PERFORM honker._name(coalesce(after, 'none'), 'after');
  PERFORM honker._page_size(n);
  LOOP
    topic := honker._next_topic(coalesce(last, ''));
    EXIT WHEN topic IS NULL;
    IF cardinality(streams) >= n OR (cardinality(streams) > 0 AND clock_timestamp() > until) THEN
      next := last;
      EXIT;
    END IF;
    consumers := honker._lags(topic, remaining + 1);
    streams := streams || honker._stream_json(topic, consumers[:remaining], cardinality(consumers) <= remaining);
    remaining := greatest(remaining - cardinality(consumers), 0);
    last := topic;
  END LOOP;
  RETURN json_build_object('streams', array_to_json(streams), 'next', next)::text;
END $$;

-- The first topic, by name, after another that has events or consumers; NULL after the last.
CREATE OR REPLACE FUNCTION honker._next_topic(after text) RETURNS text LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  RETURN least(
    (SELECT s.topic FROM honker.stream AS s WHERE s.topic > after ORDER BY s.topic LIMIT 1),
    (SELECT c.topic FROM honker.stream_consumers AS c WHERE c.topic > after ORDER BY c.topic LIMIT 1));
END $$;

CREATE OR REPLACE FUNCTION honker._stream_json(topic text, consumers json[], are_complete boolean) RETURNS json
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  most bigint := honker._count_limit_default();
  found bigint := honker._events_between(topic, -9223372036854775808, 9223372036854775807, most + 1);
  last record;
BEGIN
  SELECT s."offset", s.created_at INTO last FROM honker.stream AS s WHERE s.topic = topic
  ORDER BY s."offset" DESC LIMIT 1;
  RETURN json_build_object(
    'topic', topic,
    'first_offset', (SELECT s."offset" FROM honker.stream AS s WHERE s.topic = topic ORDER BY s."offset" LIMIT 1),
    'last_offset', last."offset", 'last_at', honker._seconds(last.created_at),
    'count', least(found, most), 'count_is_exact', found <= most,
    'consumers', array_to_json(consumers), 'consumers_are_complete', are_complete);
END $$;

-- The first consumers of a topic, by name, with their lags, each counted up to the limit.
--
-- The one that is furthest ahead is counted first, and each adds the events between it and the one before. So all of
-- them together visit no more events than one that is 10,000 behind.
CREATE OR REPLACE FUNCTION honker._lags(topic text, n bigint) RETURNS json[] LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  most bigint := honker._count_limit_default();
  ahead bigint := 9223372036854775807;
  lag bigint := 0;
  lags json[] := '{}';
  names text[] := '{}';
  consumer record;
BEGIN
  FOR consumer IN
    SELECT c.name, c."offset" AS place FROM (
      SELECT c.name, c."offset" FROM honker.stream_consumers AS c WHERE c.topic = topic ORDER BY c.name LIMIT n
    ) AS c ORDER BY c."offset" DESC
  LOOP
    -- Consumers at the same offset, and those behind the first whose lag is beyond the limit, need no further look.
    IF lag <= most AND consumer.place < ahead THEN
      lag := lag + honker._events_between(topic, consumer.place, ahead, most + 1 - lag);
      ahead := consumer.place;
    END IF;
    names := names || consumer.name;
    lags := lags || json_build_object(
      'name', consumer.name, 'offset', consumer.place, 'lag', least(lag, most), 'lag_is_exact', lag <= most);
  END LOOP;
  RETURN ARRAY(SELECT l.lag FROM unnest(lags, names) AS l (lag, name) ORDER BY l.name);
END $$;

-- How many events of a topic lie behind an offset, up to another one; counted up to a limit.
CREATE OR REPLACE FUNCTION honker._events_between(topic text, behind bigint, last bigint, most bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  RETURN (SELECT count(*) FROM (
    SELECT 1 FROM honker.stream AS s WHERE s.topic = topic AND s."offset" > behind AND s."offset" <= last LIMIT most
  ) AS counted);
END $$;
