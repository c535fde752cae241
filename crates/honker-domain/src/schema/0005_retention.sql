-- Version 5: how long, and how many, dead letters of a queue and events of a topic are kept. Without a row here,
-- all are kept.
CREATE TABLE main._honker_retention (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  max_age_s INTEGER,
  max_keep INTEGER,
  -- Of a stream: the last offset that is too many, and the offset at which that was found out.
  surplus_to INTEGER,
  judged_at INTEGER,
  PRIMARY KEY (kind, name)
);
