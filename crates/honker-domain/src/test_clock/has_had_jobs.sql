-- True if the file has jobs or has had jobs: sqlite_sequence keeps the largest id, also when the job is gone.
-- Returns one row. Dead jobs may come from a restored file whose sequence is gone.
-- Index: the primary keys; sqlite_sequence has one row a table. Lock: read.
SELECT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = '_honker_live' AND seq > 0)
  OR EXISTS (SELECT 1 FROM main._honker_live)
  OR EXISTS (SELECT 1 FROM main._honker_dead)
