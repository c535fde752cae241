-- Version 8: files that the reference works beside us hold whole seconds; see shared.rs. Processes of older versions would
-- store fractions.
UPDATE _honker_meta SET value = max(value, 8) WHERE key = 'min_writer_version' AND typeof(value) = 'integer';
