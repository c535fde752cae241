-- Reading events. Nothing here writes or locks.

-- Stops after 16 MiB of payload, so that a page neither exhausts memory nor meets the longest text of PostgreSQL.
CREATE OR REPLACE FUNCTION honker.honker_stream_read_since(topic text, "offset" bigint, "limit" bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  event record;
  events text[] := '{}';
  bytes bigint := 0;
BEGIN
  PERFORM honker._name(topic, 'topic');
  PERFORM honker._given("offset", 'offset');
  PERFORM honker._given("limit", 'limit');
  FOR event IN
    SELECT e."offset" AS id, e.key, e.payload, e.created_at FROM honker.stream AS e
    WHERE e.topic = topic AND e."offset" > "offset"
    ORDER BY e."offset" LIMIT CASE WHEN "limit" >= 0 THEN "limit" END
  LOOP
    events := events || json_build_object(
      'offset', event.id, 'topic', topic, 'key', event.key, 'payload', event.payload,
      'created_at', honker._seconds(event.created_at))::text;
    bytes := bytes + octet_length(event.payload);
    EXIT WHEN bytes >= 16777216;
  END LOOP;
  RETURN '[' || array_to_string(events, ',') || ']';
END $$;

-- The offset after which the events created at an instant or later follow, in any topic.
--
-- A binary search over the offsets, since the time has no index: some dozens of seeks. It relies on times that grow
-- with offsets; where the clock was set back, the result may be too early, or, within the stretch that was written
-- twice, too late.
CREATE OR REPLACE FUNCTION honker.honker_stream_offset_at(since_unix double precision) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
  since bigint := honker._instant(since_unix, 'since_unix');
  -- Every event before `low` is older, and none from `high` on.
  low bigint := (SELECT e."offset" FROM honker.stream AS e ORDER BY e."offset" LIMIT 1);
  high bigint := (SELECT e."offset" + 1 FROM honker.stream AS e ORDER BY e."offset" DESC LIMIT 1);
  middle bigint;
  probe record;
BEGIN
  WHILE low < high LOOP
    middle := low + (high - low) / 2;
    SELECT e."offset", e.created_at INTO probe FROM honker.stream AS e
    WHERE e."offset" >= middle AND e."offset" < high ORDER BY e."offset" LIMIT 1;
    IF probe.created_at < since THEN
      low := probe."offset" + 1;
    ELSE
      -- The event found is young enough, or no event lies between the middle and `high`.
      high := middle;
    END IF;
  END LOOP;
  RETURN coalesce(low - 1, 0);
END $$;
