-- The version of these functions, and of the tables that they need.
CREATE OR REPLACE FUNCTION honker._version() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 1::bigint $$;

-- Refuses to claim under rules that a newer honker has added and that these functions do not know.
CREATE OR REPLACE FUNCTION honker._check_writer() RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
  demanded bigint := (SELECT m.value FROM honker.meta AS m WHERE m.key = 'min_writer_version');
BEGIN
  IF demanded > honker._version() THEN
    PERFORM honker._fail('HONKER_SCHEMA_TOO_NEW', format(
      'this database demands version %s of honker, and these functions are of version %s; upgrade honker here', demanded, honker._version()));
  END IF;
END $$;

-- The tables are made by the installation, which is a transaction of its own; see install.py.
CREATE OR REPLACE FUNCTION honker.honker_bootstrap() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT 1::bigint $$;

CREATE OR REPLACE FUNCTION honker.honker_limits() RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT '{"busy_timeout_ms":[0,3600000],"claim_batch":[0,10000],"claim_max_bytes":67108864,"concurrency":[1,1000],'
    '"count_limit":[1,1000000],"count_limit_default":10000,"enqueue_batch_max":100000,"expression_max_bytes":255,'
    '"instant_s":[-62135596800,253402300799],"lease_max_s":31536000,"list_batch":[0,10000],"max_attempts":[1,1000000],'
    '"max_attempts_default":3,"max_keep":[0,10000000],"name_max_bytes":255,"priority":[-9007199254740991,9007199254740991],'
    '"rate_limit":[1,1000000],"read_max_bytes":16777216,"settle_batch_max":10000,"span_max_s":3155760000,'
    '"text_max_bytes":104857600,"tokens_max":1000000000.0,"wait_max_ms":86400000}'
$$;
