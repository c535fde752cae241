-- Schedules. The process that leads calls honker_scheduler_tick when the soonest boundary has come.
.load ./libhonker_ext
SELECT honker_bootstrap();

-- Name, queue, cron expression or "@every", payload, priority, seconds until a job expires, attempts.
SELECT honker_scheduler_register('nightly', 'reports', '0 3 * * *', '{"kind":"daily"}', 0, NULL, 3);
SELECT value ->> 'name', value ->> 'cron_expr', value ->> 'enabled' FROM json_each(honker_scheduler_list());

-- One leader: the lock of all languages. A tick as of the boundary enqueues one job, and a second one none.
SELECT honker_lock_acquire('honker-scheduler', 'shell', 60);
CREATE TEMP TABLE boundary AS SELECT honker_scheduler_soonest() AS at;
SELECT json_array_length(honker_scheduler_tick(at)) FROM boundary;
SELECT json_array_length(honker_scheduler_tick(at)) FROM boundary;
SELECT honker_lock_release('honker-scheduler', 'shell');
SELECT honker_scheduler_unregister('nightly');
