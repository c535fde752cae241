-- Notifications: rows on a channel, for listeners that are connected.
--
-- Invariant: the order of a channel's ids is the order in which its notifications become visible, as for events: see
-- stream/publish.sql. A sender holds the lock of its channel from before it draws an id until its transaction ends.
--
-- There is no sweeper. One call in 64 deletes up to 128 notifications that are older than a day, so a backlog shrinks.

CREATE OR REPLACE FUNCTION honker.notify(channel text, payload text) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  now bigint;
  sent bigint;
BEGIN
  PERFORM honker._name(channel, 'channel');
  PERFORM honker._text(payload, 'payload');
  PERFORM pg_advisory_xact_lock(1752133744, hashtext(channel) & 1023);
  now := honker._now();
  INSERT INTO honker.notifications AS n (channel, payload, created_at) VALUES (channel, payload, now)
  RETURNING n.id INTO sent;
  IF sent % 64 = 0 THEN
    PERFORM honker._prune_notifications(now);
  END IF;
  PERFORM honker._announce();
  RETURN sent;
END $$;

-- Only the first rows are looked at: ids grow with time. A row that a clock which was ahead has dated beyond tomorrow
-- is old as well.
CREATE OR REPLACE FUNCTION honker._prune_notifications(now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  WITH head AS (SELECT n.id, n.created_at FROM honker.notifications AS n ORDER BY n.id LIMIT 128),
  old AS (
    SELECT n.id FROM honker.notifications AS n JOIN head AS h ON h.id = n.id
    WHERE h.created_at < now - 86400000 OR h.created_at > now + 86400000
    FOR UPDATE OF n SKIP LOCKED
  )
  DELETE FROM honker.notifications AS n USING old AS o WHERE n.id = o.id;
END $$;

-- Stops after 16 MiB of payload, as a read of events.
CREATE OR REPLACE FUNCTION honker.honker_notification_read_since(channel text, id bigint, "limit" bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
  notification record;
  notifications text[] := '{}';
  bytes bigint := 0;
BEGIN
  PERFORM honker._name(channel, 'channel');
  PERFORM honker._given(id, 'id');
  PERFORM honker._given("limit", 'limit');
  FOR notification IN
    SELECT n.id, n.payload, n.created_at FROM honker.notifications AS n
    WHERE n.channel = channel AND n.id > id
    ORDER BY n.id LIMIT CASE WHEN "limit" >= 0 THEN "limit" END
  LOOP
    notifications := notifications || json_build_object(
      'id', notification.id, 'channel', channel, 'payload', notification.payload,
      'created_at', honker._seconds(notification.created_at))::text;
    bytes := bytes + octet_length(notification.payload);
    EXIT WHEN bytes >= 16777216;
  END LOOP;
  RETURN '[' || array_to_string(notifications, ',') || ']';
END $$;

CREATE OR REPLACE FUNCTION honker.honker_notification_last_id(channel text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  PERFORM honker._name(channel, 'channel');
  RETURN coalesce((SELECT max(n.id) FROM honker.notifications AS n WHERE n.channel = channel), 0);
END $$;

-- Reads the whole table: this is for maintenance.
CREATE OR REPLACE FUNCTION honker.honker_notification_prune(older_than_s double precision, max_keep bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  age bigint := CASE WHEN older_than_s IS NOT NULL THEN honker._span(older_than_s, 'older_than_s') END;
  old_before bigint := honker._now() - age;
  surplus_to bigint;
  pruned bigint;
BEGIN
  IF max_keep < 0 THEN
    PERFORM honker._invalid('max_keep', 'must not be negative');
  END IF;
  SELECT n.id INTO surplus_to FROM honker.notifications AS n
  WHERE max_keep IS NOT NULL ORDER BY n.id DESC OFFSET max_keep LIMIT 1;
  WITH given_up AS (
    SELECT n.id FROM honker.notifications AS n WHERE n.created_at < old_before OR n.id <= surplus_to
    FOR UPDATE SKIP LOCKED
  )
  DELETE FROM honker.notifications AS n USING given_up AS g WHERE n.id = g.id;
  GET DIAGNOSTICS pruned = ROW_COUNT;
  RETURN pruned;
END $$;
