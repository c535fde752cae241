-- Publishing events.
--
-- Invariant: the order of a topic's offsets is the order in which its events become visible, so a reader that has seen
-- an offset never misses a smaller one that is committed later. A publisher holds the lock of its topic from before it
-- draws an offset until its transaction ends.
-- - *Two sessions.* The second publisher of a topic waits for the end of the first one's transaction. Two transactions
--   that publish to several topics in different orders may wait for each other: PostgreSQL ends one of them (40P01),
--   and its caller tries again.
-- - *The session dies.* Its events are undone, and its offsets stay unused.
-- - *The clock jumps.* Offsets do not depend on it.
--
-- Topics share 1,024 locks, since the shared lock table of a server has room for some thousands.

CREATE OR REPLACE FUNCTION honker._lock_topic(topic text) RETURNS void LANGUAGE sql VOLATILE AS $$
  SELECT pg_advisory_xact_lock(1752133743, hashtext(topic) & 1023)
$$;

CREATE OR REPLACE FUNCTION honker.honker_stream_publish(topic text, key text, payload text) RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  now bigint;
  published bigint;
BEGIN
  PERFORM honker._name(topic, 'topic');
  PERFORM honker._text(payload, 'payload');
  IF key IS NOT NULL THEN
    PERFORM honker._text(key, 'key');
  END IF;
  PERFORM honker._lock_topic(topic);
  -- Read under the lock, so that times grow with offsets.
  now := honker._now();
  INSERT INTO honker.stream AS e (topic, key, payload, created_at) VALUES (topic, key, payload, now)
  RETURNING e."offset" INTO published;
  IF honker._is_prune_turn(published) THEN
    PERFORM honker._keep_topic_to_policy(topic, published, 1, now);
  END IF;
  PERFORM honker._announce();
  RETURN published;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_stream_publish_many(topic text, events_json text) RETURNS text
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  events json;
  keys text[];
  payloads text[];
  now bigint;
  published bigint[];
  turns bigint;
BEGIN
  PERFORM honker._name(topic, 'topic');
  events := honker._json(events_json, 'events_json', 'array');
  IF json_array_length(events) = 0 THEN
    RETURN '[]';
  END IF;
  SELECT p.keys, p.payloads INTO keys, payloads FROM honker._pairs(events) AS p;
  PERFORM honker._lock_topic(topic);
  now := honker._now();
  WITH added AS (
    INSERT INTO honker.stream AS e ("offset", topic, key, payload, created_at)
    SELECT nextval('honker.stream_offsets'), topic, n.key, n.payload, now
    FROM (
      SELECT u.key, u.payload FROM unnest(keys, payloads) WITH ORDINALITY AS u(key, payload, place) ORDER BY u.place
    ) AS n
    RETURNING e."offset"
  )
  SELECT array_agg(a."offset" ORDER BY a."offset"), count(*) FILTER (WHERE honker._is_prune_turn(a."offset"))
  INTO published, turns FROM added AS a;
  IF turns > 0 THEN
    PERFORM honker._keep_topic_to_policy(topic, published[cardinality(published)], turns, now);
  END IF;
  PERFORM honker._announce();
  RETURN array_to_json(published)::text;
END $$;

-- The keys and payloads of [key or null, payload] pairs; payloads keep their characters. `->` and `->>` would read the
-- whole pair, and refuse a NUL in its payload.
CREATE OR REPLACE FUNCTION honker._pairs(events json, OUT keys text[], OUT payloads text[]) LANGUAGE plpgsql AS $$
DECLARE
  wrong json;
BEGIN
  SELECT e.pair INTO wrong FROM json_array_elements(events) AS e(pair)
  WHERE CASE WHEN json_typeof(e.pair) <> 'array' THEN true WHEN json_array_length(e.pair) <> 2 THEN true
        ELSE (SELECT json_typeof(p.part) FROM json_array_elements(e.pair) AS p(part) LIMIT 1) NOT IN ('string', 'null') END
  LIMIT 1;
  IF FOUND THEN
    PERFORM honker._invalid('events_json', format(
      'is no JSON array of [key or null, payload] pairs: it has %s', left(wrong::text, 100)));
  END IF;
  SELECT
    array_agg(p.part #>> '{}' ORDER BY e.place) FILTER (WHERE p.number = 1),
    array_agg(p.part::text ORDER BY e.place) FILTER (WHERE p.number = 2)
  INTO keys, payloads
  FROM json_array_elements(events) WITH ORDINALITY AS e(pair, place),
    json_array_elements(e.pair) WITH ORDINALITY AS p(part, number);
EXCEPTION WHEN untranslatable_character THEN
  PERFORM honker._invalid('events_json', 'has a key with the character NUL, which a text of PostgreSQL cannot hold');
END $$;
