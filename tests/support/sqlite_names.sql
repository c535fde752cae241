-- The tables of honker under the names, and in the units, that they have in a SQLite file: instants and spans in
-- seconds. Tests read and change stored rows by these views, with the same statements on both engines.
CREATE SCHEMA sqlite_names;

CREATE FUNCTION sqlite_names.unixepoch() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT floor(extract(epoch FROM clock_timestamp()))::bigint
$$;

-- Changes the row of the table behind a view. The arguments name the table, the columns of its key, and its columns
-- in milliseconds.
CREATE FUNCTION sqlite_names.change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  relation text := TG_ARGV[0];
  keys text[] := string_to_array(TG_ARGV[1], ',');
  spans text[] := string_to_array(TG_ARGV[2], ',');
  old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
  new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
  place text;
  changed record;
BEGIN
  SELECT string_agg(format(
    CASE WHEN k = ANY (spans) THEN '%I = round(%L::numeric * 1000)' ELSE '%I = %L' END, k, old_row ->> k
  ), ' AND ')
  INTO place FROM unnest(keys) AS k;
  IF TG_OP = 'DELETE' THEN
    EXECUTE format('DELETE FROM honker.%I WHERE %s', relation, place);
    RETURN OLD;
  END IF;
  SELECT
    string_agg(format('%I', CASE n.key WHEN 'cron_expr' THEN 'expr' ELSE n.key END), ', ') AS names,
    string_agg(
      quote_nullable(CASE WHEN n.key = ANY (spans) THEN round(n.value::numeric * 1000)::text ELSE n.value END), ', '
    ) AS given
  INTO changed
  FROM jsonb_each_text(new_row) AS n
  WHERE TG_OP = 'INSERT' AND n.value IS NOT NULL
    OR TG_OP = 'UPDATE' AND old_row ->> n.key IS DISTINCT FROM n.value;
  IF TG_OP = 'INSERT' THEN
    EXECUTE format('INSERT INTO honker.%I (%s) VALUES (%s)', relation, changed.names, changed.given);
  ELSIF changed.names IS NOT NULL THEN
    EXECUTE format('UPDATE honker.%I SET (%s) = ROW (%s) WHERE %s', relation, changed.names, changed.given, place);
  END IF;
  RETURN NEW;
END $$;

-- Makes the view of one table. `defaults` are those of SQLite's table which the other one lacks.
CREATE FUNCTION sqlite_names.show(relation text, name text, keys text, defaults jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  spans text[];
  columns text;
  standard record;
BEGIN
  SELECT
    array_agg(a.attname::text) FILTER (WHERE a.is_span),
    string_agg(
      format(CASE WHEN a.is_span THEN '(%I / 1000.0)::double precision AS %1$I' ELSE '%I' END, a.attname), ', ' ORDER BY a.attnum
    )
  INTO spans, columns
  FROM (
    SELECT c.attname, c.attnum, c.atttypid = 'bigint'::regtype AND c.attname ~ (
      '_at$|^(paused_until|unique_for|unknown_since|expires|fired_before|beat|max_age|window_start)$'
    ) AS is_span
    FROM pg_attribute AS c
    WHERE c.attrelid = ('honker.' || relation)::regclass AND c.attnum > 0 AND NOT c.attisdropped
  ) AS a;
  EXECUTE format('CREATE VIEW sqlite_names.%I AS SELECT %s FROM honker.%I', name, columns, relation);
  EXECUTE format(
    'CREATE TRIGGER change INSTEAD OF INSERT OR UPDATE OR DELETE ON sqlite_names.%I '
      'FOR EACH ROW EXECUTE FUNCTION sqlite_names.change(%L, %L, %L)',
    name, relation, keys, array_to_string(coalesce(spans, '{}'), ',')
  );
  FOR standard IN SELECT d.key, d.value FROM jsonb_each_text(defaults) AS d LOOP
    EXECUTE format('ALTER VIEW sqlite_names.%I ALTER COLUMN %I SET DEFAULT %s', name, standard.key, standard.value);
  END LOOP;
END $$;

SET search_path = sqlite_names;
SELECT
  show('live', '_honker_live', 'id', '{
    "id": "nextval(''honker.job_ids'')", "state": "''pending''", "priority": "0", "run_at": "unixepoch()",
    "attempts": "0", "max_attempts": "3", "created_at": "unixepoch()"
  }'),
  show('dead', '_honker_dead', 'id', '{
    "priority": "0", "run_at": "0", "attempts": "0", "max_attempts": "0", "created_at": "unixepoch()",
    "died_at": "unixepoch()"
  }'),
  show('finished', '_honker_finished', 'id'),
  show('queues', '_honker_queues', 'name'),
  show('keys', '_honker_keys', 'queue,key'),
  show('unique_keys', '_honker_unique', 'queue,unique_key'),
  show('dependencies', '_honker_dependencies', 'parent_id,child_id'),
  show('outcomes', '_honker_outcomes', 'job_id'),
  show('attempts', '_honker_attempts', 'job_id,number'),
  show('progress', '_honker_progress', 'job_id'),
  show('results', '_honker_results', 'job_id', '{"created_at": "unixepoch()"}'),
  show('locks', '_honker_locks', 'name', '{"token": "0", "taken_at": "unixepoch()"}'),
  show('rate_limits', '_honker_rate_limits', 'name,window_start', '{"count": "0", "expires_at": "unixepoch()"}'),
  show('token_buckets', '_honker_token_buckets', 'name'),
  show('stream', '_honker_stream', 'offset', '{
    "offset": "nextval(''honker.stream_offsets'')", "created_at": "unixepoch()"
  }'),
  show('stream_consumers', '_honker_stream_consumers', 'name,topic', '{"offset": "0"}'),
  show('notifications', '_honker_notifications', 'id', '{
    "id": "nextval(''honker.notification_ids'')", "created_at": "unixepoch()"
  }'),
  show('retention', '_honker_retention', 'kind,name'),
  show('schedules', '_honker_scheduler_tasks', 'name', '{
    "priority": "0", "max_attempts": "3", "misfire": "''catch_up''", "overlap": "''queue''",
    "when_paused": "''enqueue''", "enabled": "true", "planned_at": "unixepoch()"
  }'),
  show('workers', '_honker_workers', 'name'),
  show('counters', '_honker_counters', 'queue,task,minute,slot'),
  show('meta', '_honker_meta', 'key');
ALTER VIEW _honker_scheduler_tasks RENAME COLUMN expr TO cron_expr;

CREATE VIEW sqlite_master AS SELECT c.relname::text AS name FROM pg_class AS c;

CREATE VIEW _honker_jobs AS
  SELECT
    id, queue, payload, state, priority, run_at, worker_id, claim_expires_at, attempts, max_attempts, last_error,
    created_at
  FROM _honker_live
  UNION ALL
  SELECT
    id, queue, payload, 'dead', priority, run_at, NULL, NULL, attempts, max_attempts, last_error, created_at
  FROM _honker_dead;
RESET search_path;
