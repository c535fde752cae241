-- The task that a payload calls, for counters, events and lists of jobs; NULL for a payload that is no call of a task.
-- The writers of calls put the name first, and then only the beginning is read: the longest name as JSON is among 1,600
-- characters.
CREATE OR REPLACE FUNCTION honker._task_of(payload text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  head text := left(payload, 1600);
  call text := substring(head FROM '^\s*\{\s*"(__honker_(?:encoded_)?task__)"\s*:\s*\{');
  name text;
BEGIN
  IF call IS NULL THEN
    RETURN NULL;
  END IF;
  name := substring(head FROM '^\s*\{\s*"__honker_(?:encoded_)?task__"\s*:\s*\{\s*"task"\s*:\s*("(?:[^"\\]|\\.)*")');
  BEGIN
    IF name IS NOT NULL THEN
      name := name::json #>> '{}';
    ELSIF json_typeof(payload::json -> call -> 'task') = 'string' THEN
      name := payload::json -> call ->> 'task';
    END IF;
  EXCEPTION WHEN invalid_text_representation OR untranslatable_character THEN
    RETURN NULL;
  END;
  RETURN CASE WHEN octet_length(name) BETWEEN 1 AND 255 THEN name END;
END $$;
