-- The task that a payload calls, for counters, events and lists of jobs; NULL for a payload that is no call of a task.
-- The writers of calls put the name first, and then only the beginning is read: the longest name as JSON is among 1,600
-- characters. The parts are cut off one after the other: regular expressions over all of them take ten times as long.
CREATE OR REPLACE FUNCTION honker._task_of(payload text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  rest text := honker._after(left(payload, 1600), '{');
  call text := CASE
    WHEN starts_with(rest, '"__honker_task__"') THEN '__honker_task__'
    WHEN starts_with(rest, '"__honker_encoded_task__"') THEN '__honker_encoded_task__'
  END;
  name text;
BEGIN
  IF call IS NULL THEN
    RETURN NULL;
  END IF;
  rest := honker._after(honker._after(honker._after(rest, '"' || call || '"'), ':'), '{');
  IF rest IS NULL THEN
    RETURN NULL;
  END IF;
  BEGIN
    IF starts_with(rest, '"task"') THEN
      name := substring(honker._after(honker._after(rest, '"task"'), ':') FROM E'^"(?:[^"\\\\]|\\\\.)*"')::json #>> '{}';
    ELSIF json_typeof(payload::json -> call -> 'task') = 'string' THEN
      name := payload::json -> call ->> 'task';
    END IF;
  EXCEPTION WHEN invalid_text_representation OR untranslatable_character THEN
    RETURN NULL;
  END;
  RETURN CASE WHEN octet_length(name) BETWEEN 1 AND 255 THEN name END;
END $$;

-- The rest of a text that begins with a part, without white space around it; NULL if it does not begin with it.
CREATE OR REPLACE FUNCTION honker._after(whole text, part text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN starts_with(ltrim(whole, E' \t\n\r'), part) THEN
      ltrim(substr(ltrim(whole, E' \t\n\r'), length(part) + 1), E' \t\n\r')
  END
$$;
