-- Whether there is a trigger or a unique index that is not honker's own on one of honker's tables, in the schema of the
-- file or in that of the connection alone, which holds temporary triggers.
-- No parameters. One row: 1 if there is one, 0 if not.
-- Index: none, both schemas are read through. Lock: none, one snapshot.
SELECT EXISTS (
    SELECT 1
    FROM (
        SELECT type, name, tbl_name, sql FROM main.sqlite_master
        UNION ALL
        SELECT type, name, tbl_name, sql FROM sqlite_temp_master
    )
    WHERE (type = 'trigger' OR type = 'index' AND substr(sql, 1, 13) = 'CREATE UNIQUE' COLLATE NOCASE)
        AND substr(tbl_name, 1, 8) = '_honker_' COLLATE NOCASE
        AND name <> '_honker_index_live_unique'
)
