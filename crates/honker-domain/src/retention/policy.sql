-- The policy of a queue's dead letters or of a topic.
-- ?1 kind, ?2 name.
-- Returns max_age_s, max_keep, surplus_to, judged_at; no row when everything is kept.
-- Index: the primary key. Lock: read.
SELECT max_age_s, max_keep, surplus_to, judged_at FROM main._honker_retention WHERE kind = ?1 AND name = ?2
