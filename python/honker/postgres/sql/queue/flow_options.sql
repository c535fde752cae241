-- The options of a job that relate it to others, checked. NULL if it has none of these.
CREATE OR REPLACE FUNCTION honker._flow(given json) RETURNS honker.flow LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  flow honker.flow;
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM json_each_text(given) AS option WHERE option.key = ANY (honker._flow_options()) AND option.value IS NOT NULL
  ) THEN
    RETURN NULL;
  END IF;
  flow.after := honker._parents_option(given);
  flow.on_parent_failure := honker._choice_option(given, 'on_parent_failure', ARRAY['cancel', 'run', 'wait']);
  IF flow.on_parent_failure IS NOT NULL AND cardinality(flow.after) = 0 THEN
    PERFORM honker._invalid('on_parent_failure', 'is given without after; name the parents in after');
  END IF;
  flow.on_parent_failure := coalesce(flow.on_parent_failure, 'cancel');
  flow := honker._unique_options(given, flow);
  IF cardinality(flow.after) > 0 AND flow.on_conflict = 'replace' THEN
    PERFORM honker._invalid('after', 'is given with on_conflict "replace" or with debounce_s, and a replaced job keeps its own '
      'parents; leave it out');
  END IF;
  flow.key := honker._name_option(given, 'key');
  RETURN flow;
END $$;

-- The uniqueness of a job, added to its flow.
CREATE OR REPLACE FUNCTION honker._unique_options(given json, flow honker.flow) RETURNS honker.flow LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  option text;
BEGIN
  flow.unique_key := honker._name_option(given, 'unique_key');
  IF flow.unique_key IS NULL THEN
    FOREACH option IN ARRAY ARRAY['on_conflict', 'unique_until', 'unique_for_s', 'debounce_s', 'debounce_max_s'] LOOP
      IF given ->> option IS NOT NULL THEN
        PERFORM honker._invalid(option, 'is given without unique_key; give a unique_key');
      END IF;
    END LOOP;
    RETURN flow;
  END IF;
  flow.debounce := honker._span_option(given, 'debounce_s');
  flow.debounce_max := honker._span_option(given, 'debounce_max_s');
  IF flow.debounce_max IS NOT NULL AND flow.debounce IS NULL THEN
    PERFORM honker._invalid('debounce_max_s', 'is given without debounce_s; give a debounce_s');
  END IF;
  flow.on_conflict := honker._choice_option(given, 'on_conflict', ARRAY['existing', 'replace', 'rerun', 'raise']);
  IF flow.debounce IS NOT NULL AND flow.on_conflict <> 'replace' THEN
    PERFORM honker._invalid('on_conflict', 'is given with debounce_s, which replaces; leave it out');
  END IF;
  flow.on_conflict := coalesce(flow.on_conflict, CASE WHEN flow.debounce IS NOT NULL THEN 'replace' ELSE 'existing' END);
  flow.until_started :=
    coalesce(honker._choice_option(given, 'unique_until', ARRAY['finished', 'started']), 'finished') = 'started';
  flow.unique_for := honker._span_option(given, 'unique_for_s');
  IF flow.unique_for IS NOT NULL AND flow.until_started THEN
    PERFORM honker._invalid('unique_for_s', 'is given with unique_until "started"; choose one of them');
  ELSIF flow.unique_for IS NOT NULL AND flow.debounce IS NOT NULL THEN
    PERFORM honker._invalid('unique_for_s', 'is given with debounce_s, which loses no event; choose one of them');
  END IF;
  RETURN flow;
END $$;

-- The ids of the parents, each once, in the order given.
CREATE OR REPLACE FUNCTION honker._parents_option(given json) RETURNS bigint[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  after json := given -> 'after';
BEGIN
  IF given ->> 'after' IS NULL THEN
    RETURN '{}';
  ELSIF json_typeof(after) <> 'array' THEN
    PERFORM honker._invalid('after', 'must be a JSON array of job ids');
  ELSIF json_array_length(after) > 100000 THEN
    PERFORM honker._invalid('after', format('names %s jobs; at most 100000 are allowed', json_array_length(after)));
  ELSIF EXISTS (SELECT 1 FROM json_array_elements(after) AS e (id)
                WHERE json_typeof(e.id) <> 'number' OR e.id::text !~ '^-?[0-9]{1,18}$') THEN
    PERFORM honker._invalid('after', 'must be a JSON array of job ids');
  END IF;
  RETURN ARRAY(
    SELECT e.id::bigint FROM json_array_elements_text(after) WITH ORDINALITY AS e (id, place) GROUP BY e.id ORDER BY min(e.place));
END $$;
