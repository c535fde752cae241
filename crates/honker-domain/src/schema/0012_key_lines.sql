-- Version 12: the index of keys holds the candidates and the jobs in flight of a key side by side, so that a claim and an ack
-- write one page of it instead of two. Under another name: the earlier one began with queue and state.
DROP INDEX IF EXISTS main._honker_index_live_key;
CREATE INDEX IF NOT EXISTS main._honker_index_live_line ON _honker_live (queue, (state = 'blocked'), key, state, priority DESC, run_at) WHERE key IS NOT NULL;
