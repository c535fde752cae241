-- Ends the call with an error of reference.yaml: the message begins with its code, and each code has an SQLSTATE of its own.
CREATE OR REPLACE FUNCTION honker._fail(code text, problem text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING
    MESSAGE = code || ': ' || problem,
    ERRCODE = CASE code
      WHEN 'HONKER_INVALID_ARGUMENT' THEN 'HK001'
      WHEN 'HONKER_SCHEMA_TOO_NEW' THEN 'HK002'
      WHEN 'HONKER_NOT_BOOTSTRAPPED' THEN 'HK003'
      WHEN 'HONKER_MALFORMED_ROW' THEN 'HK004'
      WHEN 'HONKER_UNIQUE_KEY_TAKEN' THEN 'HK005'
      WHEN 'HONKER_UNKNOWN_PARENT' THEN 'HK006'
      ELSE 'HK000'
    END;
END $$;

CREATE OR REPLACE FUNCTION honker._invalid(argument text, problem text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM honker._fail('HONKER_INVALID_ARGUMENT', argument || ' ' || problem);
END $$;
