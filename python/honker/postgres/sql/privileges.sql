-- Privileges of the functions, after all of them are there.
--
-- A public function runs with the rights of the owner of the schema, so that its callers need none on the tables. The search_path
-- is fixed, else a caller could put an operator of its own in the place of one of PostgreSQL's. An internal function checks no
-- arguments, so only the owner may call it. A role that was granted the public functions before gets those that are new.
-- Constants with a backslash have the form E'...', whose meaning no setting of the session changes.
DO $$
DECLARE
  function record;
  role record;
BEGIN
  FOR function IN
    SELECT p.oid::regprocedure::text AS signature, p.proname ~ '^(honker_.*|notify)$' AS is_public, p.proname = '_now' AS is_clock
    FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = 'honker' AND p.prokind = 'f'
    ORDER BY p.oid
  LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', function.signature);
    IF function.is_public THEN
      EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = pg_catalog, pg_temp', function.signature);
    END IF;
    IF function.is_public OR function.is_clock THEN
      FOR role IN
        SELECT DISTINCT a.grantee::regrole::text AS name
        FROM pg_catalog.pg_proc AS p
        JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
        CROSS JOIN LATERAL aclexplode(p.proacl) AS a
        WHERE n.nspname = 'honker' AND p.proname = 'honker_bootstrap' AND a.grantee NOT IN (0, p.proowner)
      LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', function.signature, role.name);
      END LOOP;
    END IF;
  END LOOP;
END $$;
