-- Wait for commits of any process, without polling.
-- Every process that shares the file waits for its lock; without that, a commit fails while another one reads or writes.
.timeout 5000
.load ./libhonker_ext
PRAGMA journal_mode = WAL;
SELECT honker_bootstrap();

-- Subscribe first, then read, then wait: no commit between is missed. The path is the one of the open file.
CREATE TEMP TABLE watcher AS
SELECT honker_update_watcher_open(file, NULL) AS id FROM pragma_database_list WHERE name = 'main';

-- Read: the instant at which a claim could find a job, or 0.
SELECT honker_queue_next_claim_at('emails');

-- Another process enqueues a job.
.shell sqlite3 "$DATABASE" ".timeout 5000" ".load ./libhonker_ext" "SELECT honker_enqueue('emails', '{}', '{}')"

-- Wait for at most 5 s. 1: there was a commit. 0: there was none. -1: the file was replaced.
SELECT honker_update_watcher_wait(id, 5000) FROM watcher;
SELECT honker_queue_next_claim_at('emails') > 0;
SELECT json_array_length(honker_claim_batch('emails', 'w1', 1, 60));
SELECT honker_update_watcher_close(id) FROM watcher;
