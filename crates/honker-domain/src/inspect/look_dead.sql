-- Looks at dead letters by id, the greatest first, and tests each against a filter. A condition whose parameter is NULL reads nothing of
-- the row: what stands behind a large payload is reached through its overflow pages only. A payload is parsed for its task only if it
-- contains the name, or an escape that may hide it.
-- ?1 the smallest id, ?2 the greatest id, ?3 queue, ?4 state as it is shown, ?5 now (instant), ?6 key, ?7 the instant at or
-- after which it was enqueued, ?8 a part of its error, ?9 task, ?10 a part of its payload, ?11 arguments as a JSON array of
-- [path in a task's call, path in another payload, value].
-- Returns id, 1 if it passes, else 0, and created_at if ?7 is given: of the rows that do not pass, about one of 64, chosen by a hash of
-- its id, for a look at the clock. The others never leave SQLite, which makes the walk three times as fast.
-- Index: the primary key, one seek, then neighbours. Lock: read.
SELECT id, iif(
  (?3 IS NULL OR queue = ?3)
  AND (?4 IS NULL OR ?4 = 'dead')
  AND (?6 IS NULL OR key = ?6)
  AND (?7 IS NULL OR created_at >= ?7)
  AND (?8 IS NULL OR instr(last_error, ?8) > 0)
  AND (?10 IS NULL OR instr(payload, ?10) > 0)
  AND (?9 IS NULL OR iif(instr(payload, ?9) > 0 OR instr(payload, '\') > 0,
    iif(substr(payload, 1, 64) GLOB '{*"__honker_*task__"*',
      iif(json_valid(payload), ?9 IN (json_extract(payload, '$.__honker_task__.task'),
        json_extract(payload, '$.__honker_encoded_task__.task')), 0), 0), 0))
  AND (?11 IS NULL OR iif(json_valid(payload), NOT EXISTS (
    SELECT 1 FROM json_each(?11) AS wanted
    WHERE json_extract(payload, iif(json_type(payload, '$.__honker_task__') IS NULL,
        json_extract(wanted.value, '$[1]'), json_extract(wanted.value, '$[0]')))
      IS NOT json_extract(wanted.value, '$[2]')
  ), 0)),
  1, 0) AS passes, iif(?7 IS NULL, NULL, created_at)
FROM main._honker_dead
WHERE id BETWEEN ?1 AND ?2 AND (passes OR (id % 65521 * 40503 >> 8) & 63 = 0)
ORDER BY id DESC
