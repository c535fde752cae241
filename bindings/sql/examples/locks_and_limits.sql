-- Locks, rate limits, results and notifications.
.load ./libhonker_ext
SELECT honker_bootstrap();

-- A lock of one owner at a time, for 60 s: 1 for "a", 0 for "b".
SELECT honker_lock_acquire('import', 'a', 60), honker_lock_acquire('import', 'b', 60);
SELECT honker_lock_renew('import', 'a', 120), honker_lock_release('import', 'a');

-- At most 2 uses in each hour.
SELECT honker_rate_limit_try('calls', 2, 3600), honker_rate_limit_try('calls', 2, 3600),
       honker_rate_limit_try('calls', 2, 3600);

-- The result of job 7, kept for a day.
SELECT honker_result_save(7, '{"sum":3}', 86400);
SELECT honker_result_get(7), honker_result_get(8);

-- A listener begins behind the last notification.
CREATE TEMP TABLE listener AS SELECT honker_notification_last_id('news') AS last_id;
SELECT notify('news', '{"n":1}');
SELECT value ->> 'channel', value ->> 'payload'
FROM listener, json_each(honker_notification_read_since('news', last_id, 100));

-- An error begins with its code.
SELECT honker_enqueue('', '1', '{}');
