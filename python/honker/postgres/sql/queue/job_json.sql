-- A claimed job as JSON, put together as text in one pass: a claim of a hundred jobs builds a thousand values.

CREATE OR REPLACE FUNCTION honker._seconds_text(milliseconds bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN milliseconds IS NULL THEN 'null'
    WHEN milliseconds % 1000 = 0 THEN (milliseconds / 1000)::text
    ELSE (milliseconds::double precision / 1000)::text
  END
$$;

-- `detailed` adds the fields of honker_claim_batch's detailed form. Fields of flow control that say nothing are left out: a
-- worker reads thousands of these texts a second. The ties are DEPENDENTS (8) and PARENTS (16).
CREATE OR REPLACE FUNCTION honker._job_json(job honker.live, detailed boolean) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT concat(
    '{"id":', (job).id, ',"queue":', to_json((job).queue), ',"payload":', to_json((job).payload),
    ',"state":"processing","priority":', (job).priority, ',"run_at":', honker._seconds_text((job).run_at),
    ',"worker_id":', to_json((job).worker_id), ',"claim_expires_at":', honker._seconds_text((job).claim_expires_at),
    ',"attempts":', (job).attempts, ',"max_attempts":', (job).max_attempts,
    ',"created_at":', honker._seconds_text((job).created_at), ',"expires_at":', honker._seconds_text((job).expires_at),
    CASE WHEN detailed THEN concat(
      ',"last_error":', coalesce(to_json((job).last_error)::text, 'null'),
      ',"unknown_since":', honker._seconds_text((job).unknown_since),
      ',"key":' || to_json((job).key)::text, ',"snoozes":' || nullif((job).snoozes, 0),
      CASE WHEN (job).ties & 8 <> 0 THEN ',"has_dependents":true' END,
      CASE WHEN (job).ties & 16 <> 0 THEN ',"has_parents":true' END
    ) END,
    '}')
$$;
