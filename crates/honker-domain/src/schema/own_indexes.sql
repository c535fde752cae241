-- Drops the indexes of ours under the names that they had up to version 7, and makes them under their own names.
-- Several statements, for a write transaction. No parameters.
-- Index: none, each table is read once. Lock: write.
DROP INDEX IF EXISTS main._honker_live_ready;
CREATE INDEX IF NOT EXISTS main._honker_index_live_ready ON _honker_live (queue, priority DESC, run_at) WHERE state = 'pending';
DROP INDEX IF EXISTS main._honker_live_expiry;
CREATE INDEX IF NOT EXISTS main._honker_index_live_expiry ON _honker_live (queue, expires_at) WHERE expires_at IS NOT NULL;
DROP INDEX IF EXISTS main._honker_rate_limits_expiry;
CREATE INDEX IF NOT EXISTS main._honker_index_rate_limits_expiry ON _honker_rate_limits (expires_at) WHERE expires_at IS NOT NULL;
DROP INDEX IF EXISTS main._honker_results_expiry;
CREATE INDEX IF NOT EXISTS main._honker_index_results_expiry ON _honker_results (expires_at) WHERE expires_at IS NOT NULL;
DROP INDEX IF EXISTS main._honker_dead_age;
CREATE INDEX IF NOT EXISTS main._honker_index_dead_age ON _honker_dead (queue, died_at);
DROP INDEX IF EXISTS main._honker_token_buckets_full;
CREATE INDEX IF NOT EXISTS main._honker_index_token_buckets_full ON _honker_token_buckets (full_at);
