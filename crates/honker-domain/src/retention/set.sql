-- Sets the policy of a queue's dead letters or of a topic, replacing an earlier one.
-- ?1 kind, ?2 name, ?3 max_age_s (seconds or NULL), ?4 max_keep (count or NULL).
-- Index: the primary key. Lock: write.
INSERT INTO main._honker_retention (kind, name, max_age_s, max_keep) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (kind, name) DO UPDATE
SET max_age_s = excluded.max_age_s, max_keep = excluded.max_keep, surplus_to = NULL, judged_at = NULL
