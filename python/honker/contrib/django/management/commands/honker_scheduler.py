"""``manage.py honker_scheduler``: fire the periodic tasks of the project; see ``honker scheduler``."""

from honker.cli.scheduler import scheduler
from honker.contrib.django.management.click_command import ClickCommand


class Command(ClickCommand):
    """Fires schedules until SIGINT or SIGTERM."""

    help = "Fire the periodic tasks of this project. Any number of processes may run it: one leads at a time."
    command = scheduler
