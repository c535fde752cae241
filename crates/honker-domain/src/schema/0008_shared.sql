-- Version 8: files that the reference works beside us hold whole seconds; see shared.rs. Processes of older versions would
-- store fractions.
UPDATE main._honker_meta SET value = max(value, 8) WHERE key = 'min_writer_version' AND typeof(value) = 'integer';

-- Jobs in a state that we do not know, of a release of the reference that is newer than this. Costs nothing for others.
CREATE INDEX main._honker_index_live_other ON _honker_live (queue, state, run_at)
  WHERE state <> 'pending' AND state <> 'processing';
