-- Enqueue jobs and work on them.
--
--     sqlite3 app.db < getting_started.sql
.load ./libhonker_ext
PRAGMA journal_mode = WAL;
PRAGMA busy_timeout = 5000;
SELECT honker_bootstrap();

-- A job, with options as JSON. The result is its id.
SELECT honker_enqueue('emails', '{"to":"ann@example.com"}', '{"priority":5}');

-- A job and a row of the application: both or neither. IMMEDIATE takes the write lock at once, so that COMMIT cannot be
-- refused because another connection has written meanwhile.
CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY);
BEGIN IMMEDIATE;
INSERT INTO orders VALUES (42);
SELECT honker_enqueue('emails', json_object('to', 'bob@example.com', 'order', 42), '{}');
COMMIT;

BEGIN IMMEDIATE;
INSERT INTO orders VALUES (43);
SELECT honker_enqueue('emails', '{"to":"nobody"}', '{}');
ROLLBACK;

-- Claim up to 10 jobs for a minute, as the worker "w1". The rows are a JSON array; json_each makes rows of it.
CREATE TEMP TABLE claimed (id, payload, attempts);
INSERT INTO claimed
SELECT value ->> 'id', value ->> 'payload', value ->> 'attempts'
FROM json_each(honker_claim_batch('emails', 'w1', 10, 60));
SELECT id, payload ->> 'to', attempts FROM claimed;

-- Acknowledge them by id, worker and attempt: 1 if the lease still held.
SELECT id, honker_ack(id, 'w1', attempts) FROM claimed;
