-- The offsets that consumers have reached. They only rise, so of two sessions that save at once the larger offset
-- stays.

CREATE OR REPLACE FUNCTION honker.honker_stream_save_offset(consumer text, topic text, "offset" bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  PERFORM honker._name(consumer, 'consumer');
  PERFORM honker._name(topic, 'topic');
  PERFORM honker._given("offset", 'offset');
  INSERT INTO honker.stream_consumers AS c (name, topic, "offset") VALUES (consumer, topic, "offset")
  ON CONFLICT ON CONSTRAINT stream_consumers_key DO UPDATE
  SET "offset" = excluded."offset" WHERE excluded."offset" > c."offset";
  RETURN CASE WHEN FOUND THEN 1 ELSE 0 END;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_stream_get_offset(consumer text, topic text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
  PERFORM honker._name(consumer, 'consumer');
  PERFORM honker._name(topic, 'topic');
  RETURN coalesce((SELECT c."offset" FROM honker.stream_consumers AS c WHERE c.name = consumer AND c.topic = topic), 0);
END $$;
