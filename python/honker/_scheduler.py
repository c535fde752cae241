"""Under this name the reference keeps its scheduler; here for those who import it from there."""

from honker.errors import LeadershipLost
from honker.schedule.cron import CronSchedule, crontab, every_s
from honker.schedule.scheduler import Scheduler

__all__ = ["CronSchedule", "LeadershipLost", "Scheduler", "crontab", "every_s"]
