"""Tasks: functions that are called here and run by a worker, maybe in another process."""
