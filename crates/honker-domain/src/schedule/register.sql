-- Keeps a schedule, replacing one of that name; its next boundary stays while expression and time zone do.
-- ?1 name, ?2 queue, ?3 cron_expr, ?4 payload, ?5 priority, ?6 expires_s (seconds or NULL), ?7 max_attempts,
-- ?8 time_zone or NULL, ?9 misfire, ?10 next_fire_at (instant), ?11 the latest next boundary that is kept (instant),
-- ?12 overlap, ?13 when_paused, ?14 now (instant).
-- Index: the primary key. Lock: write.
INSERT INTO main._honker_scheduler_tasks
  (name, queue, cron_expr, payload, priority, expires_s, max_attempts, time_zone, misfire, next_fire_at, overlap, when_paused)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?12, ?13)
ON CONFLICT (name) DO UPDATE SET
  queue = excluded.queue,
  payload = excluded.payload,
  priority = excluded.priority,
  expires_s = excluded.expires_s,
  max_attempts = excluded.max_attempts,
  misfire = excluded.misfire,
  overlap = excluded.overlap,
  when_paused = excluded.when_paused,
  last_error = NULL,
  next_fire_at = CASE
    WHEN cron_expr IS excluded.cron_expr AND time_zone IS excluded.time_zone AND next_fire_at <= ?11 THEN next_fire_at
    ELSE excluded.next_fire_at
  END,
  fired_before = CASE
    WHEN cron_expr IS NOT excluded.cron_expr OR time_zone IS NOT excluded.time_zone THEN NULL
    WHEN next_fire_at <= ?11 THEN fired_before
    ELSE max(next_fire_at, ifnull(fired_before, next_fire_at))
  END,
  set_back_at = CASE
    WHEN cron_expr IS NOT excluded.cron_expr OR time_zone IS NOT excluded.time_zone THEN NULL
    WHEN next_fire_at <= ?11 THEN set_back_at
    ELSE ?14
  END,
  cron_expr = excluded.cron_expr,
  time_zone = excluded.time_zone
