-- Changes a schedule; NULL leaves a column as it is.
-- ?1 name, ?2 cron_expr and ?3 time_zone, always given, ?4 next_fire_at (instant) if these moved it, ?5 payload,
-- ?6 priority, ?7 whether to set expires_s, ?8 expires_s, ?9 max_attempts, ?10 misfire, ?11 overlap,
-- ?12 when_paused.
-- Index: the primary key. Lock: write.
UPDATE main._honker_scheduler_tasks SET
  cron_expr = ?2,
  time_zone = ?3,
  next_fire_at = ifnull(?4, next_fire_at),
  fired_before = iif(?4 IS NULL, fired_before, NULL),
  set_back_at = iif(?4 IS NULL, set_back_at, NULL),
  payload = ifnull(?5, payload),
  priority = ifnull(?6, priority),
  expires_s = iif(?7, ?8, expires_s),
  max_attempts = ifnull(?9, max_attempts),
  misfire = ifnull(?10, misfire),
  overlap = ifnull(?11, overlap),
  when_paused = ifnull(?12, when_paused),
  last_error = NULL
WHERE name = ?1
