-- Whether there is a trigger on one of honker's tables, in the schema of the file or in that of the connection alone.
-- No parameters. One row: 1 if there is one, 0 if not.
-- Index: none, both schemas are read through. Lock: none, one snapshot.
SELECT EXISTS (
    SELECT 1 FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name LIKE '\_honker\_%' ESCAPE '\'
    UNION ALL
    SELECT 1 FROM sqlite_temp_master WHERE type = 'trigger' AND tbl_name LIKE '\_honker\_%' ESCAPE '\'
)
