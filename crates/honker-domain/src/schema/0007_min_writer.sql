-- Version 7: the oldest schema version whose processes may still claim. A migration or a setting that adds a rule to claims
-- raises it. A process that runs on with an older honker reads it in each claim, and is refused.
INSERT INTO main._honker_meta (key, value) VALUES ('min_writer_version', 7) ON CONFLICT (key) DO NOTHING;
