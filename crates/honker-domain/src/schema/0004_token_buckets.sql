-- Version 4: token buckets. A bucket without a row is full, so one that is full again needs none.
CREATE TABLE main._honker_token_buckets (
  name TEXT PRIMARY KEY,
  -- Tokens that were missing at counted_at.
  missing REAL NOT NULL,
  counted_at INTEGER NOT NULL,
  full_at INTEGER NOT NULL
);
CREATE INDEX main._honker_index_token_buckets_full ON _honker_token_buckets (full_at);
