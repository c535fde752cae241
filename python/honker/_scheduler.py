"""Names kept for programs that import from ``honker._scheduler``."""

from honker.errors import LeadershipLost
from honker.schedule.cron import CronSchedule, crontab, every_s
from honker.schedule.scheduler import Scheduler

__all__ = ["CronSchedule", "LeadershipLost", "Scheduler", "crontab", "every_s"]
