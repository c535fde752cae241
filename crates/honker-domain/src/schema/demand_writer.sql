-- Makes the file demand a writer of at least this version.
-- ?1 version.
-- Index: the primary key of _honker_meta. Lock: write.
INSERT INTO main._honker_meta (key, value) VALUES ('min_writer_version', ?1)
ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE typeof(value) <> 'integer' OR value < excluded.value
